#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "simulator/dialect.h"

namespace ipp::simulator {

// The active dialects. Everything under /_sim/ stays unchanged. One thread.
class Dialects {
 public:
  // Replaces the active dialects. On an unknown name returns false, changes nothing, and names it
  // in *error.
  bool Set(const std::vector<std::string>& names, std::string* error);

  // Rewrites an answer by the active dialects.
  void Word(std::string_view operation, Response* response) const;
  // The same for the body of a webhook, before it is signed, and for its header.
  std::string WordEvent(std::string body) const;
  void WordHeader(WebhookRequest* request) const;

  // All dialects as JSON, each with whether it is active.
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
