#pragma once

#include <set>
#include <string>
#include <variant>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/json/message_json.h"
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

// A webhook needs a type, an id, and a session id where its type speaks of a session. Everything
// else may be missing or of any form:
//  * without an id in the body, `delivery_id` (the webhook-id header, which is signed too) is the
//    event's;
//  * without a merchant it is the one whose key signed it; when several merchants have the key, the
//    `merchant_id` of the result is empty;
//  * without a time that can be read it happened now.
// `signers`: the merchants whose keys have signed the body. `unreadable` is called with the path of
// each field that was left out (json::ReadOptions).
std::variant<sessions::News, Ignored, Malformed, WrongMerchant> ReadEvent(
    absl::string_view body, absl::string_view delivery_id, const std::set<std::string>& signers,
    absl::Time now, const json::UnreadableField& unreadable);

}  // namespace ipp::webhook
