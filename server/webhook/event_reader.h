#pragma once

#include <set>
#include <string>
#include <variant>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/sessions/session_state.h"

// From the body of a webhook, whose signature is good, to news of a session. Pure.
namespace ipp::webhook {

struct Ignored {
  std::string type;
};
struct Malformed {
  std::string why;  // never a value of the body
};
struct WrongMerchant {};

// `signers`: the merchants whose keys have signed the body.
std::variant<sessions::News, Ignored, Malformed, WrongMerchant> ReadEvent(
    absl::string_view body, const std::set<std::string>& signers, absl::Time now);

}  // namespace ipp::webhook
