#include "server/webhook/event_reader.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "server/base/protobuf_time.h"
#include "server/base/uuid.h"
#include "server/json/message_json.h"
#include "server/webhook/webhook_event.pb.h"

namespace ipp::webhook {
namespace {

// Whether a type is about a session, with or without the product's prefix, including types newer
// than this release. Such a webhook is malformed without a session id. Any other type belongs to
// another product.
bool SpeaksOfSession(absl::string_view type) {
  return absl::StartsWithIgnoreCase(type, "ipp.session.") ||
         absl::StartsWithIgnoreCase(type, "ipp.payment.") ||
         absl::StartsWithIgnoreCase(type, "session.") ||
         absl::StartsWithIgnoreCase(type, "payment.");
}

// A header may contain any bytes.
bool IsEventId(absl::string_view text) {
  constexpr size_t kMaxSize = 128;
  return !text.empty() && text.size() <= kMaxSize &&
         std::all_of(text.begin(), text.end(), absl::ascii_isgraph);
}

// The session id; empty if there is none. Public clients of the API read these three fields.
std::string SessionIdOf(const WebhookEvent& event) {
  const WebhookData& data = event.data();
  if (!data.session_id().empty()) return CanonicalUuid(data.session_id());
  if (!event.session_id().empty()) return CanonicalUuid(event.session_id());
  // `data.id` may be the id of something else if it is not a UUID.
  return IsUuid(data.id()) ? CanonicalUuid(data.id()) : "";
}

}  // namespace

std::variant<sessions::SessionUpdate, Ignored, Malformed, WrongMerchant> ReadEvent(
    absl::string_view body, absl::string_view delivery_id, const std::set<std::string>& signers,
    absl::Time now, const json::UnreadableField& unreadable) {
  WebhookEvent event;
  // An event of another product may look different below its type, so its unreadable fields are not
  // reported.
  std::vector<std::string> left_out;
  json::ReadOptions options;
  options.lenient = true;
  options.unreadable_field = [&](absl::string_view path) { left_out.emplace_back(path); };
  if (absl::Status read = json::Read(body, &event, options); !read.ok()) {
    return Malformed{std::string(read.message())};
  }
  if (event.type().empty()) return Malformed{"type is missing"};
  if (!event.merchant_id().empty() && !signers.contains(event.merchant_id())) {
    return WrongMerchant{};
  }
  // Ignored even if it names a session.
  if (!SpeaksOfSession(event.type())) return Ignored{event.type()};
  const std::string session_id = SessionIdOf(event);
  if (session_id.empty()) return Malformed{"data.session_id is missing"};
  if (event.id().empty() && IsEventId(delivery_id)) event.set_id(std::string(delivery_id));
  if (event.id().empty()) return Malformed{"id is missing"};
  if (event.merchant_id().empty() && signers.size() == 1) event.set_merchant_id(*signers.begin());
  for (const std::string& path : left_out) unreadable(path);

  sessions::SessionUpdate update;
  update.source = kustom::ipp::v1::SESSION_EVENT_SOURCE_WEBHOOK;
  update.merchant_id = event.merchant_id();
  update.session_id = session_id;
  update.heard_at = now;
  update.event_id = event.id();
  update.upstream_type = event.type();
  update.type = sessions::TypeFromUpstream(event.type());
  const WebhookData& data = event.data();
  update.order_id = data.order_id().empty() ? event.order_id() : data.order_id();
  update.failure_reason =
      data.failure_reason().empty() ? event.failure_reason() : data.failure_reason();
  update.occurred_at = event.has_timestamp() ? FromTimestamp(event.timestamp()) : now;
  return update;
}

}  // namespace ipp::webhook
