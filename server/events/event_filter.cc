#include "server/events/event_filter.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/base/status_macros.h"

namespace ipp::events {
namespace {

namespace v1 = kustom::ipp::v1;

constexpr int kMaxValues = 1000;

template <typename Values>
absl::Status CheckSize(const Values& values, const char* field) {
  if (values.size() <= kMaxValues) return absl::OkStatus();
  return InvalidRequest({{absl::StrCat("filter.", field), "has more than 1000 values"}});
}

template <typename Values, typename Set>
absl::Status Fill(const Values& values, const char* field, Set* set) {
  IPP_RETURN_IF_ERROR(CheckSize(values, field));
  for (int i = 0; i < values.size(); ++i) {
    if (values[i].empty()) {
      return InvalidRequest({{absl::StrCat("filter.", field, "[", i, "]"), "must not be empty"}});
    }
    set->insert(values[i]);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<EventFilter> EventFilter::Create(const v1::SessionEventFilter& filter,
                                                std::vector<std::string> merchants) {
  EventFilter result;
  result.merchants_.insert(merchants.begin(), merchants.end());
  IPP_RETURN_IF_ERROR(Fill(filter.session_ids(), "session_ids", &result.sessions_));
  IPP_RETURN_IF_ERROR(Fill(filter.device_ids(), "device_ids", &result.devices_));
  IPP_RETURN_IF_ERROR(
      Fill(filter.merchant_reference1s(), "merchant_reference1s", &result.references_));
  IPP_RETURN_IF_ERROR(CheckSize(filter.types(), "types"));
  for (int i = 0; i < filter.types_size(); ++i) {
    if (!v1::SessionEventType_IsValid(filter.types(i))) {
      return InvalidRequest({{absl::StrCat("filter.types[", i, "]"), "is no event type"}});
    }
    result.types_ |= uint64_t{1} << filter.types(i);
  }
  return result;
}

bool EventFilter::Matches(const store::StoredEvent& event) const {
  return (all_merchants_ || merchants_.contains(event.merchant_id)) &&
         (types_ == 0 || (types_ >> event.type & 1) != 0) &&
         (sessions_.empty() || sessions_.contains(event.session_id)) &&
         (devices_.empty() || devices_.contains(event.device_id)) &&
         (references_.empty() || references_.contains(event.merchant_reference1));
}

}  // namespace ipp::events
