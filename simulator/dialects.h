#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "simulator/dialect.h"

namespace ipp::simulator {

// The dialects in force. Everything under /_sim/ stays in plain words. One thread.
class Dialects {
 public:
  // Replaces those in force. False, and nothing changes, on an unknown name; *error then names it.
  bool Set(const std::vector<std::string>& names, std::string* error);

  // The same answer, said in the dialects in force.
  void Word(std::string_view operation, Response* response) const;
  // The same for the body of a webhook, to be signed afterwards, and for its header.
  std::string WordEvent(std::string body) const;
  void WordHeader(WebhookRequest* request) const;

  // All of them, as JSON, each with whether it is in force.
  std::string Render() const;

 private:
  std::string WordBody(std::string body, Speech speech) const;

  std::vector<const Dialect*> active_;  // in the order of the table
};

// "a,b" as names, without empty ones.
std::vector<std::string> SplitNames(std::string_view text);

// The table for a person: a line each.
std::string DialectsHelp();

}  // namespace ipp::simulator
