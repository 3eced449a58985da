#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "kustom/ipp/v1/session_event.pb.h"

// Events of the gateway's log as the webhooks that the upstream would send.
namespace ipp::ippctl {

struct Webhook {
  std::string id;    // the event's, so that it is the same each time the event is sent
  std::string type;  // "ipp.session.finalized"
  std::string session_id;
  std::string body;
};

// The types that the upstream announces. The others are the gateway's own findings.
std::vector<kustom::ipp::v1::SessionEventType> AnnouncedTypes();

// What the gateway learned by a call or a read gets the type that the upstream would have used;
// what the upstream never announces gets one of the same form (`ipp.session.expired`). The body has
// the upstream's members in its order, and is the same each time. Nothing for an event of a type
// that is newer than this program and has no upstream type.
std::optional<Webhook> MakeWebhook(const kustom::ipp::v1::SessionEvent& event);

// The headers of a delivery at `now`, signed by every key (webhook::DecodeSecret).
std::vector<std::pair<std::string, std::string>> WebhookHeaders(
    const Webhook& webhook, const std::vector<std::string>& keys, absl::Time now);

}  // namespace ipp::ippctl
