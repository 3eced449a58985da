#pragma once

#include <set>
#include <string>
#include <variant>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/json/message_json.h"
#include "server/sessions/session_state.h"

// Converts the body of a webhook, whose signature was verified, to an update of a session. Pure.
namespace ipp::webhook {

struct Ignored {
  std::string type;
};
struct Malformed {
  std::string why;  // never contains a value of the body
};
struct WrongMerchant {};

// A webhook needs a type, an id, and a session id if its type is about a session. All other fields
// may be missing or malformed:
//
// * without an id in the body, the event's id is `delivery_id` (the webhook-id header, which is
//   signed too);
// * without a merchant, it is the merchant whose key signed the body; if several merchants have
//   that key, the `merchant_id` of the result is empty;
// * without a readable time, the event happened now.
//
// `signers`: the merchants whose keys signed the body. `unreadable` is called with the path of each
// field that was left out (json::ReadOptions).
std::variant<sessions::SessionUpdate, Ignored, Malformed, WrongMerchant> ReadEvent(
    absl::string_view body, absl::string_view delivery_id, const std::set<std::string>& signers,
    absl::Time now, const json::UnreadableField& unreadable);

}  // namespace ipp::webhook
