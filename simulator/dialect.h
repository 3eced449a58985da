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

// The kind of a JSON body.
enum class Speech {
  kAnswer,  // of a request that succeeded
  kError,   // of a request that did not
  kEvent,   // a webhook
};

// One way in which an upstream may word its answers differently from the documents with the same
// meaning. A row of the table; null members change nothing.
//
// No dialect changes the id, status, amounts and currency of a session, except for the letter case
// where its name says so. The functions run in the order in which they are declared here.
struct Dialect {
  std::string_view name;
  std::string_view what;  // one line, for a person
  // Whether what a client wrote into a session (references, data, device) is returned as it was
  // written.
  bool keeps_references = true;

  std::function<void(boost::json::value& body, Speech speech)> edit = nullptr;
  // Rewrites the text of a body.
  std::function<std::string(std::string text)> write = nullptr;
  // Code, headers and body of an answer. `operation` as in fault rules; empty: none.
  std::function<void(std::string_view operation, Response& response)> answer = nullptr;
  // The header of a webhook, after it was signed.
  std::function<void(WebhookRequest& request)> event = nullptr;
};

// All dialects, in the order in which the active ones are applied.
const std::vector<Dialect>& DialectTable();

// Null: there is no dialect of that name.
const Dialect* FindDialect(std::string_view name);

}  // namespace ipp::simulator
