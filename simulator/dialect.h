#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "simulator/http.h"
#include "simulator/webhook_transport.h"

namespace boost::json {
class value;
}

namespace ipp::simulator {

// What a JSON body is.
enum class Speech {
  kAnswer,  // of a request that succeeded
  kError,   // of a request that did not
  kEvent,   // a webhook
};

// One way in which an upstream may word what it has to say, other than in the documents and still
// with the same meaning. A row of the table; what it leaves null it does not change.
//
// No dialect changes a session's id, status, amounts and currency, but for the letter case where
// its name says so. The functions run in the order in which they stand here.
struct Dialect {
  std::string_view name;
  std::string_view what;  // one line, for a person
  // What a client wrote into a session (references, data, device) is still in it as it was written.
  bool keeps_references = true;

  std::function<void(boost::json::value& body, Speech speech)> edit = nullptr;
  // The text of a body, and perhaps another one.
  std::function<std::string(std::string text)> write = nullptr;
  // Code, headers and body of an answer. `operation` as in fault rules; empty: none.
  std::function<void(std::string_view operation, Response& response)> answer = nullptr;
  // The header of a webhook, after it was signed.
  std::function<void(WebhookRequest& request)> event = nullptr;
};

// Every dialect, in the order in which those in force are applied.
const std::vector<Dialect>& DialectTable();

// Null: there is none of that name.
const Dialect* FindDialect(std::string_view name);

}  // namespace ipp::simulator
