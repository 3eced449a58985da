#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/base/protobuf_time.h"
#include "server/rpc/checker.h"
#include "server/rpc/validate.h"
#include "server/shared/spec.h"

// The requests of shared subscriptions.
namespace ipp::rpc {
namespace {

namespace v1 = kustom::ipp::v1;

constexpr size_t kMaxName = 63;
constexpr size_t kMaxConsumer = 128;
constexpr size_t kMaxReason = 1024;
constexpr int kMaxAttempts = 100;
constexpr int kMaxInFlight = 256;
constexpr int kMaxSettlements = 256;
constexpr int kMaxEventIds = 1000;

bool IsName(const std::string& name) {
  return !name.empty() && name.size() <= kMaxName &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-';
         });
}

void CheckName(const std::string& name, const char* field, Checker* check) {
  check->Require(IsName(name), field,
                 name.empty() ? "is required" : "must be 1 to 63 of a-z, 0-9 and -");
}

bool IsDuration(const google::protobuf::Duration& duration, absl::Duration least,
                absl::Duration most) {
  return duration.nanos() >= 0 && duration.nanos() <= 999'999'999 && duration.seconds() >= 0 &&
         FromDuration(duration) >= least && FromDuration(duration) <= most;
}

void CheckText(const std::string& text, size_t most, const std::string& field, Checker* check) {
  check->Require(text.size() <= most, field, absl::StrCat("must be at most ", most, " bytes"));
}

void CheckStart(const v1::SharedSubscriptionStart& start, Checker* check) {
  switch (start.place_case()) {
    case v1::SharedSubscriptionStart::kPosition:
      check->Require(start.position() == v1::START_POSITION_FROM_NOW ||
                         start.position() == v1::START_POSITION_FROM_OLDEST,
                     "subscription.start.position", "must be FROM_NOW or FROM_OLDEST");
      break;
    case v1::SharedSubscriptionStart::kAfterCursor:
      check->Require(!start.after_cursor().empty(), "subscription.start.after_cursor",
                     "must not be empty; use position to start without a cursor");
      break;
    case v1::SharedSubscriptionStart::kStartTime:
      check->Time(true, start.start_time(), "subscription.start.start_time");
      break;
    case v1::SharedSubscriptionStart::PLACE_NOT_SET:
      check->Require(false, "subscription.start",
                     "position, after_cursor or start_time is required");
  }
}

void CheckSettlement(const v1::Settlement& settlement, int index, Checker* check) {
  const std::string at = absl::StrCat("settlements[", index, "].");
  check->Require(shared::DecodeLease(settlement.lease()).has_value(), at + "lease",
                 settlement.lease().empty() ? "is required" : "is not a lease that was given");
  switch (settlement.action_case()) {
    case v1::Settlement::kAcknowledge:
    case v1::Settlement::kRelease:
      break;
    case v1::Settlement::kRetry:
      check->Require(
          !settlement.retry().has_delay() ||
              IsDuration(settlement.retry().delay(), absl::ZeroDuration(), absl::Hours(1)),
          at + "retry.delay", "must be from 0 to 1 hour");
      CheckText(settlement.retry().reason(), kMaxReason, at + "retry.reason", check);
      break;
    case v1::Settlement::kPark:
      CheckText(settlement.park().reason(), kMaxReason, at + "park.reason", check);
      break;
    case v1::Settlement::kExtend:
      check->Require(IsDuration(settlement.extend().by(), absl::Seconds(5), absl::Minutes(10)),
                     at + "extend.by", "must be from 5 seconds to 10 minutes");
      break;
    case v1::Settlement::ACTION_NOT_SET:
      check->Require(false, at + "action",
                     "acknowledge, retry, park, extend or release is required");
  }
}

template <typename Request>
absl::Status CheckChoice(const Request& request) {
  Checker check;
  CheckName(request.subscription(), "subscription", &check);
  check.Require(request.all() != !request.event_ids().empty(), "event_ids",
                request.all() ? "must be empty beside all" : "is required, unless all is set");
  check.Require(request.event_ids_size() <= kMaxEventIds, "event_ids", "has more than 1000 values");
  for (int i = 0; i < request.event_ids_size(); ++i) {
    check.Require(!request.event_ids(i).empty(), absl::StrCat("event_ids[", i, "]"),
                  "must not be empty");
  }
  return check.Take();
}

}  // namespace

absl::Status Validate(const v1::CreateSharedSubscriptionRequest& request) {
  const v1::SharedSubscription& asked = request.subscription();
  Checker check;
  CheckName(asked.name(), "subscription.name", &check);
  CheckStart(asked.start(), &check);
  check.Require(
      !asked.has_lease() || IsDuration(asked.lease(), absl::Seconds(5), absl::Minutes(10)),
      "subscription.lease", "must be from 5 seconds to 10 minutes");
  check.Require(asked.max_attempts() >= 0 && asked.max_attempts() <= kMaxAttempts,
                "subscription.max_attempts", "must be from 0 to 100");
  return check.Take();
}

absl::Status Validate(const v1::GetSharedSubscriptionRequest& request) {
  Checker check;
  CheckName(request.name(), "name", &check);
  return check.Take();
}

absl::Status Validate(const v1::ListSharedSubscriptionsRequest&) { return absl::OkStatus(); }

absl::Status Validate(const v1::DeleteSharedSubscriptionRequest& request) {
  Checker check;
  CheckName(request.name(), "name", &check);
  return check.Take();
}

absl::Status Validate(const v1::ReceiveSessionEventsRequest& request) {
  Checker check;
  CheckName(request.subscription(), "subscription", &check);
  check.Require(request.max_in_flight() >= 0 && request.max_in_flight() <= kMaxInFlight,
                "max_in_flight", "must be from 0 to 256");
  CheckText(request.consumer(), kMaxConsumer, "consumer", &check);
  check.Require(v1::CursorExpiredPolicy_IsValid(request.on_cursor_expired()), "on_cursor_expired",
                "must be FAIL or SKIP_TO_OLDEST");
  check.Heartbeat(request.has_heartbeat_interval(), request.heartbeat_interval());
  return check.Take();
}

absl::Status Validate(const v1::SettleSessionEventsRequest& request) {
  Checker check;
  CheckName(request.subscription(), "subscription", &check);
  check.Require(request.settlements_size() > 0, "settlements", "must have at least one");
  check.Require(request.settlements_size() <= kMaxSettlements, "settlements", "has more than 256");
  for (int i = 0; i < std::min(request.settlements_size(), kMaxSettlements); ++i) {
    CheckSettlement(request.settlements(i), i, &check);
  }
  return check.Take();
}

absl::Status Validate(const v1::ListParkedSessionEventsRequest& request) {
  Checker check;
  CheckName(request.subscription(), "subscription", &check);
  return check.PageSize(request.page_size(), kMaxEventPageSize).Take();
}

absl::Status Validate(const v1::RedriveSessionEventsRequest& request) {
  return CheckChoice(request);
}

absl::Status Validate(const v1::DeleteParkedSessionEventsRequest& request) {
  return CheckChoice(request);
}

}  // namespace ipp::rpc
