#include "server/rpc/validate.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/rpc/checker.h"

namespace ipp::rpc {
namespace {

namespace v1 = kustom::ipp::v1;
constexpr int kMaxSearchedMerchants = 100;
constexpr int kMaxReportDevices = 1000;

bool IsCurrency(const std::string& text) {
  if (text.size() != 3) return false;
  for (const char c : text) {
    if (c < 'A' || c > 'Z') return false;
  }
  return true;
}

void CheckItem(const v1::OrderItem& item, int index, Checker* check) {
  const std::string at = absl::StrCat("order_items[", index, "].");
  check->Require(!item.name().empty(), at + "name", "is required");
  check->Require(v1::OrderItemType_IsValid(item.type()), at + "type", "is no order item type");
  check->Require(item.quantity() >= 1, at + "quantity", "must be 1 or more");
  check->Require(item.tax_rate() >= 0, at + "tax_rate", "must not be negative");
  check->Require(item.total_discount_amount() >= 0, at + "total_discount_amount",
                 "must not be negative");
  int64_t gross = 0;
  int64_t net = 0;
  const bool fits = !__builtin_mul_overflow(item.unit_price(), item.quantity(), &gross) &&
                    !__builtin_sub_overflow(gross, item.total_discount_amount(), &net);
  check->Require(fits, at + "total_amount", "is out of range");
  if (fits) {
    check->Require(net == item.total_amount(), at + "total_amount",
                   absl::StrCat("must be unit_price * quantity - total_discount_amount = ", net));
  }
}

}  // namespace

absl::Status Validate(const v1::ListDevicesRequest& request) {
  return Checker()
      .PageSize(request.page_size(), kMaxPageSize)
      .OptionalUuid(request.location_id(), "location_id")
      .Filters(request.metadata())
      .Take();
}

absl::Status Validate(const v1::GetDeviceRequest& request) {
  return Checker().Uuid(request.device_id(), "device_id").Take();
}

absl::Status Validate(const v1::UpdateDeviceRequest& request) {
  Checker check;
  check.Uuid(request.device_id(), "device_id");
  const v1::DeviceSettings& settings = request.settings();
  check.Require(request.has_settings() || request.has_update_mask(), "settings",
                "is required without an update_mask");
  check.Require(!settings.has_name() || !settings.name().empty(), "settings.name",
                "must not be empty");
  check.OptionalUuid(settings.location_id(), "settings.location_id");
  check.Require(
      request.has_update_mask() || !settings.has_location_id() || !settings.location_id().empty(),
      "settings.location_id", "must not be empty; leave it out to detach the device");
  check.Keys(settings.metadata(), "settings.metadata");
  if (request.has_update_mask()) {
    check.Require(request.update_mask().paths_size() > 0, "update_mask", "names no field");
    for (int i = 0; i < request.update_mask().paths_size(); ++i) {
      const std::string& path = request.update_mask().paths(i);
      check.Require(path == "name" || path == "location_id" || path == "metadata",
                    absl::StrCat("update_mask.paths[", i, "]"),
                    "is none of name, location_id, metadata");
      check.Require(path != "name" || settings.has_name(), "settings.name", "cannot be cleared");
    }
  }
  return check.Take();
}

absl::Status Validate(const v1::DeleteDeviceRequest& request) {
  return Checker().Uuid(request.device_id(), "device_id").Take();
}

absl::Status Validate(const v1::CreateEnrollmentRequest& request) {
  Checker check;
  check.OptionalUuid(request.request_id(), "request_id");
  const bool ttl = request.ttl() != v1::ENROLLMENT_TTL_UNSPECIFIED;
  check.Require(!ttl || v1::EnrollmentTtl_IsValid(request.ttl()), "ttl", "is no lifetime");
  check.Require(ttl || request.has_expires_in(), "ttl", "is required, unless expires_in is set");
  check.Require(!ttl || !request.has_expires_in(), "expires_in", "must not be set beside ttl");
  check.Require(!request.has_expires_in() || request.expires_in() > 0, "expires_in",
                "must be 1 millisecond or more");
  check.OptionalUuid(request.location_id(), "location_id");
  check.Keys(request.metadata(), "metadata");
  return check.Take();
}

absl::Status Validate(const v1::ListEnrollmentsRequest& request) {
  return Checker()
      .PageSize(request.page_size(), kMaxPageSize)
      .OptionalUuid(request.location_id(), "location_id")
      .Filters(request.metadata())
      .Take();
}

absl::Status Validate(const v1::DeleteEnrollmentRequest& request) {
  return Checker().Uuid(request.enrollment_id(), "enrollment_id").Take();
}

absl::Status Validate(const v1::ListLocationsRequest& request) {
  return Checker().PageSize(request.page_size(), kMaxPageSize).Take();
}

absl::Status Validate(const v1::GetLocationRequest& request) {
  return Checker().Uuid(request.location_id(), "location_id").Take();
}

absl::Status Validate(const v1::CreateSessionRequest& request) {
  Checker check;
  check.OptionalUuid(request.request_id(), "request_id");
  check.OptionalUuid(request.location_id(), "location_id");
  check.Uuid(request.device_id(), "device_id");
  check.Require(IsCurrency(request.purchase_currency()), "purchase_currency",
                request.purchase_currency().empty() ? "is required"
                                                    : "must be three capital letters (ISO 4217)");
  check.Time(request.has_purchase_started_at(), request.purchase_started_at(),
             "purchase_started_at");
  check.Time(request.has_purchase_completed_at(), request.purchase_completed_at(),
             "purchase_completed_at");
  check.Require(request.order_items_size() > 0, "order_items", "must have at least one line");
  int64_t sum = 0;
  bool fits = true;
  for (int i = 0; i < request.order_items_size(); ++i) {
    CheckItem(request.order_items(i), i, &check);
    fits = fits && !__builtin_add_overflow(sum, request.order_items(i).total_amount(), &sum);
  }
  check.NoCorrelation(request.merchant_data(), "merchant_data");
  check.NoCorrelation(request.merchant_reference2(), "merchant_reference2");
  check.Require(fits, "order_amount", "the lines' sum is out of range");
  check.Require(request.order_amount() >= 0, "order_amount", "must not be negative");
  if (fits && request.order_items_size() > 0) {
    check.Require(sum == request.order_amount(), "order_amount",
                  absl::StrCat("must be the sum of the lines' total_amount, ", sum));
  }
  return check.Take();
}

absl::Status Validate(const v1::GetSessionRequest& request) {
  return Checker().Uuid(request.session_id(), "session_id").Take();
}

absl::Status Validate(const v1::CancelSessionRequest& request) {
  return Checker().Uuid(request.session_id(), "session_id").Take();
}

absl::Status Validate(const v1::WatchSessionRequest& request) {
  Checker check;
  switch (request.target_case()) {
    case v1::WatchSessionRequest::kSessionId:
      check.Uuid(request.session_id(), "session_id");
      break;
    case v1::WatchSessionRequest::kRequestId:
      check.Uuid(request.request_id(), "request_id");
      break;
    case v1::WatchSessionRequest::TARGET_NOT_SET:
      check.Require(false, "target", "session_id or request_id is required");
  }
  return check.Heartbeat(request.has_heartbeat_interval(), request.heartbeat_interval()).Take();
}

absl::Status Validate(const v1::SubscribeSessionEventsRequest& request) {
  Checker check;
  switch (request.start_case()) {
    case v1::SubscribeSessionEventsRequest::kAfterCursor:
      check.Require(!request.after_cursor().empty(), "after_cursor",
                    "must not be empty; use position to start without a cursor");
      break;
    case v1::SubscribeSessionEventsRequest::kPosition:
      check.Require(request.position() == v1::START_POSITION_FROM_NOW ||
                        request.position() == v1::START_POSITION_FROM_OLDEST,
                    "position", "must be FROM_NOW or FROM_OLDEST");
      break;
    case v1::SubscribeSessionEventsRequest::kStartTime:
      check.Time(true, request.start_time(), "start_time");
      break;
    case v1::SubscribeSessionEventsRequest::START_NOT_SET:
      check.Require(false, "start", "after_cursor, position or start_time is required");
      break;
  }
  check.Require(v1::CursorExpiredPolicy_IsValid(request.on_cursor_expired()), "on_cursor_expired",
                "must be FAIL or SKIP_TO_OLDEST");
  check.Heartbeat(request.has_heartbeat_interval(), request.heartbeat_interval());
  return check.Take();
}

absl::Status Validate(const v1::ListSessionEventsRequest& request) {
  return Checker()
      .PageSize(request.page_size(), kMaxEventPageSize)
      .Time(request.has_start_time(), request.start_time(), "start_time")
      .Take();
}

absl::Status Validate(const v1::GetCreateOutcomeRequest& request) {
  return Checker().Uuid(request.request_id(), "request_id").Take();
}

absl::Status Validate(const v1::ListCreateOutcomesRequest& request) {
  Checker check;
  check.PageSize(request.page_size(), kMaxEventPageSize);
  for (int i = 0; i < request.states_size(); ++i) {
    check.Require(request.states(i) != v1::CREATE_STATE_UNSPECIFIED &&
                      v1::CreateState_IsValid(request.states(i)),
                  absl::StrCat("states[", i, "]"), "is not a state");
  }
  return check.Take();
}

absl::Status Validate(const v1::ListSessionsRequest& request) {
  Checker check;
  check.PageSize(request.page_size(), kMaxEventPageSize);
  check.Require(request.merchant_ids_size() <= kMaxSearchedMerchants, "merchant_ids",
                absl::StrCat("at most ", kMaxSearchedMerchants, " are allowed"));
  check.OptionalUuid(request.device_id(), "device_id");
  check.OptionalUuid(request.location_id(), "location_id");
  check.OptionalUuid(request.request_id(), "request_id");
  for (int i = 0; i < request.statuses_size(); ++i) {
    check.Require(v1::SessionStatus_IsValid(request.statuses(i)), absl::StrCat("statuses[", i, "]"),
                  "is not a status");
  }
  check.Time(request.has_created_from(), request.created_from(), "created_from");
  check.Time(request.has_created_before(), request.created_before(), "created_before");
  check.Time(request.has_updated_from(), request.updated_from(), "updated_from");
  check.Time(request.has_updated_before(), request.updated_before(), "updated_before");
  return check.Take();
}

absl::Status Validate(const v1::GetSessionHistoryRequest& request) {
  Checker check;
  switch (request.target_case()) {
    case v1::GetSessionHistoryRequest::kSessionId:
      check.Uuid(request.session_id(), "session_id");
      break;
    case v1::GetSessionHistoryRequest::kRequestId:
      check.Uuid(request.request_id(), "request_id");
      break;
    case v1::GetSessionHistoryRequest::TARGET_NOT_SET:
      check.Require(false, "target", "session_id or request_id is required");
  }
  return check.Take();
}

// The day and its time zone: reports/day.h.
absl::Status Validate(const v1::GetDayReportRequest& request) {
  Checker check;
  check.Require(!request.day().empty(), "day", "is required");
  check.Require(!request.time_zone().empty(), "time_zone", "is required");
  check.Require(request.device_ids_size() <= kMaxReportDevices, "device_ids",
                absl::StrCat("at most ", kMaxReportDevices, " are allowed"));
  for (int i = 0; i < request.device_ids_size(); ++i) {
    check.Uuid(request.device_ids(i), absl::StrCat("device_ids[", i, "]"));
  }
  return check.Take();
}

absl::Status Validate(const v1::CreateSimulatedDeviceRequest& request) {
  return Checker()
      .OptionalUuid(request.request_id(), "request_id")
      .Require(!request.name().empty(), "name", "is required")
      .OptionalUuid(request.location_id(), "location_id")
      .Keys(request.metadata(), "metadata")
      .Take();
}

absl::Status Validate(const v1::SimulateCardTapRequest& request) {
  return Checker()
      .Uuid(request.session_id(), "session_id")
      .Require(v1::TapOutcome_IsValid(request.outcome()), "outcome", "is no tap outcome")
      .Take();
}

}  // namespace ipp::rpc
