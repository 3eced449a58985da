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

// The types that the upstream announces. The others are found by the gateway itself.
std::vector<kustom::ipp::v1::SessionEventType> AnnouncedTypes();

// Builds the webhook of an event. An event that the gateway learned by a call or a read gets the
// type that the upstream would have used; one that the upstream never announces gets a type of the
// same form (`ipp.session.expired`). The body has the upstream's members in its order, and is the
// same each time. nullopt for an event whose type is newer than this program and that has no
// upstream type.
std::optional<Webhook> MakeWebhook(const kustom::ipp::v1::SessionEvent& event);

// The headers of a delivery at `now`, signed by every key (webhook::DecodeSecret).
std::vector<std::pair<std::string, std::string>> WebhookHeaders(
    const Webhook& webhook, const std::vector<std::string>& keys, absl::Time now);

}  // namespace ipp::ippctl
