#include "client/ippctl/webhook.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/ippctl/json_text.h"
#include "server/base/protobuf_time.h"
#include "server/webhook/signature.h"

namespace ipp::ippctl {
namespace {

namespace v1 = ::kustom::ipp::v1;

struct TypeName {
  const char* name;
  v1::SessionEventType type;
  bool announced;
};

constexpr TypeName kTypeNames[] = {
    {"ipp.session.created", v1::SESSION_EVENT_TYPE_CREATED, true},
    {"ipp.session.activated", v1::SESSION_EVENT_TYPE_ACTIVATED, true},
    {"ipp.payment.failed", v1::SESSION_EVENT_TYPE_PAYMENT_FAILED, true},
    {"ipp.session.finalized", v1::SESSION_EVENT_TYPE_FINALIZED, true},
    {"ipp.session.cancelled", v1::SESSION_EVENT_TYPE_CANCELLED, true},
    // These names are ours.
    {"ipp.session.expired", v1::SESSION_EVENT_TYPE_EXPIRED, false},
    {"ipp.session.failed", v1::SESSION_EVENT_TYPE_FAILED, false},
    {"ipp.session.corrected", v1::SESSION_EVENT_TYPE_CORRECTED, false},
    {"ipp.session.details", v1::SESSION_EVENT_TYPE_DETAILS, false},
};

std::string TypeOf(const v1::SessionEvent& event) {
  if (!event.upstream_type().empty()) return event.upstream_type();
  for (const TypeName& row : kTypeNames) {
    if (row.type == event.type()) return row.name;
  }
  return "";
}

}  // namespace

std::vector<v1::SessionEventType> AnnouncedTypes() {
  std::vector<v1::SessionEventType> types;
  for (const TypeName& row : kTypeNames) {
    if (row.announced) types.push_back(row.type);
  }
  return types;
}

std::optional<Webhook> MakeWebhook(const v1::SessionEvent& event) {
  const std::string type = TypeOf(event);
  if (type.empty()) return std::nullopt;
  JsonObject data;
  data.Add("session_id", event.session_id())
      .AddStringOrNull("order_id", event.order_id())
      .AddStringOrNull("failure_reason", event.failure_reason());
  JsonObject body;
  body.Add("id", event.event_id())
      .Add("merchant_id", event.merchant_id())
      // Nine digits, as the upstream writes it.
      .Add("timestamp", absl::FormatTime("%Y-%m-%dT%H:%M:%E9SZ", FromTimestamp(event.occurred_at()),
                                         absl::UTCTimeZone()))
      .Add("type", type)
      .Add("data", data);
  return Webhook{event.event_id(), type, event.session_id(), body.text()};
}

std::vector<std::pair<std::string, std::string>> WebhookHeaders(
    const Webhook& webhook, const std::vector<std::string>& keys, absl::Time now) {
  const std::string timestamp = absl::StrCat(absl::ToUnixSeconds(now));
  const std::string signatures =
      absl::StrJoin(keys, " ", [&](std::string* out, const std::string& key) {
        absl::StrAppend(out, webhook::Sign(key, webhook.id, timestamp, webhook.body));
      });
  return {{"content-type", "application/json"},
          {"webhook-id", webhook.id},
          {"webhook-timestamp", timestamp},
          {"webhook-signature", signatures}};
}

}  // namespace ipp::ippctl
