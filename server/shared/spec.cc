#include "server/shared/spec.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "google/protobuf/util/message_differencer.h"
#include "server/base/encoding.h"
#include "server/base/error.h"
#include "server/base/protobuf_time.h"
#include "server/base/status_macros.h"
#include "server/events/event_filter.h"

namespace ipp::shared {

namespace v1 = kustom::ipp::v1;
using google::protobuf::util::MessageDifferencer;

void FillIn(v1::SharedSubscription* subscription) {
  const Rules defaults;
  if (!subscription->has_lease()) {
    subscription->mutable_lease()->set_seconds(absl::ToInt64Seconds(defaults.lease));
  }
  if (subscription->max_attempts() == 0) subscription->set_max_attempts(defaults.max_attempts);
}

absl::StatusOr<SpecPtr> ReadSpec(const store::SharedRecord& record) {
  auto spec = std::make_shared<Spec>();
  spec->id = record.id;
  spec->caller = record.caller;
  v1::SharedSubscription& subscription = spec->subscription;
  if (!subscription.ParseFromString(record.spec)) {
    return absl::DataLossError("a shared subscription cannot be read");
  }
  *subscription.mutable_created_at() = ToTimestamp(record.created_at);
  *subscription.mutable_last_used_at() = ToTimestamp(record.last_used_at);
  spec->rules = {.lease = FromDuration(subscription.lease()),
                 .max_attempts = subscription.max_attempts()};
  const auto& merchants = subscription.merchant_ids();
  IPP_ASSIGN_OR_RETURN(
      events::EventFilter filter,
      events::EventFilter::Create(subscription.filter(), {merchants.begin(), merchants.end()}));
  spec->matches = [filter = std::move(filter)](const store::StoredEvent& event) {
    return filter.Matches(event);
  };
  return spec;
}

std::vector<std::string> Differences(const v1::SharedSubscription& asked,
                                     const v1::SharedSubscription& existing) {
  std::vector<std::string> fields;
  const auto differ = [&](const char* field, bool same) {
    if (!same) fields.emplace_back(field);
  };
  differ("filter", MessageDifferencer::Equals(asked.filter(), existing.filter()));
  differ("start", MessageDifferencer::Equals(asked.start(), existing.start()));
  differ("lease", MessageDifferencer::Equals(asked.lease(), existing.lease()));
  differ("max_attempts", asked.max_attempts() == existing.max_attempts());
  return fields;
}

absl::Status NoSuchSubscription() {
  return MakeError(absl::StatusCode::kNotFound, "there is no shared subscription of this name",
                   {.reason = "SUBSCRIPTION_NOT_FOUND"});
}

std::string EncodeLease(const LeaseToken& token) {
  return absl::WebSafeBase64Escape(token.SerializeAsString());
}

std::optional<LeaseToken> DecodeLease(absl::string_view text) {
  const std::optional<std::string> bytes = DecodeBase64Url(text);
  LeaseToken token;
  if (!bytes || !token.ParseFromString(*bytes) || token.subscription() <= 0 ||
      token.position() <= 0 || token.lease() == 0) {
    return std::nullopt;
  }
  return token;
}

}  // namespace ipp::shared
