#include "server/webhook/event_reader.h"

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "server/base/uuid.h"
#include "server/json/message_json.h"
#include "server/webhook/webhook_event.pb.h"

namespace ipp::webhook {
namespace {

// Types that are about a session, with or without the product's prefix, also those that are newer
// than this release: without a session id they are broken. Any other type is another product's.
bool SpeaksOfSession(absl::string_view type) {
  absl::ConsumePrefix(&type, "ipp.");
  return absl::StartsWith(type, "session.") || absl::StartsWith(type, "payment.");
}

}  // namespace

std::variant<sessions::News, Ignored, Malformed, WrongMerchant> ReadEvent(
    absl::string_view body, const std::set<std::string>& signers, absl::Time now) {
  WebhookEvent event;
  if (absl::Status read = json::Read(body, &event); !read.ok()) {
    // Another product's event need not look like ours below its type.
    WebhookKind kind;
    if (json::Read(body, &kind).ok() && !kind.type().empty() && !SpeaksOfSession(kind.type())) {
      return Ignored{kind.type()};
    }
    return Malformed{std::string(read.message())};
  }
  if (event.type().empty()) return Malformed{"type is missing"};
  if (!event.merchant_id().empty() && !signers.contains(event.merchant_id())) {
    return WrongMerchant{};
  }
  // Also when it names a session.
  if (!SpeaksOfSession(event.type())) return Ignored{event.type()};
  const std::string session_id = CanonicalUuid(
      event.data().session_id().empty() ? event.session_id() : event.data().session_id());
  if (session_id.empty()) return Malformed{"data.session_id is missing"};
  if (event.id().empty()) return Malformed{"id is missing"};
  if (event.merchant_id().empty()) return Malformed{"merchant_id is missing"};
  if (!event.has_timestamp()) return Malformed{"timestamp is missing"};

  sessions::News news;
  news.source = kustom::ipp::v1::SESSION_EVENT_SOURCE_WEBHOOK;
  news.merchant_id = event.merchant_id();
  news.session_id = session_id;
  news.heard_at = now;
  news.event_id = event.id();
  news.upstream_type = event.type();
  news.type = sessions::TypeFromUpstream(event.type());
  news.order_id = event.data().order_id();
  news.failure_reason = event.data().failure_reason();
  news.occurred_at = absl::FromUnixSeconds(event.timestamp().seconds()) +
                     absl::Nanoseconds(event.timestamp().nanos());
  return news;
}

}  // namespace ipp::webhook
