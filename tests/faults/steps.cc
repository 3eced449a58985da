#include "tests/faults/steps.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace ipp::faults {

namespace v1 = kustom::ipp::v1;

bool IsFinal(v1::SessionStatus status) {
  return status == v1::SESSION_STATUS_FINALIZED || status == v1::SESSION_STATUS_CANCELLED ||
         status == v1::SESSION_STATUS_EXPIRED || status == v1::SESSION_STATUS_FAILED;
}

bool IsTerminal(v1::SessionEventType type) { return IsFinal(StatusAfter(type)); }

// By number: an older contract than the gateway's does not know the name.
bool IsDetails(v1::SessionEventType type) { return static_cast<int>(type) == 9; }

int RankOf(v1::SessionEventType type) {
  if (type == v1::SESSION_EVENT_TYPE_CREATED) return 1;
  if (type == v1::SESSION_EVENT_TYPE_ACTIVATED) return 2;
  return IsTerminal(type) ? 3 : 0;
}

v1::SessionStatus StatusAfter(v1::SessionEventType type) {
  switch (type) {
    case v1::SESSION_EVENT_TYPE_CREATED:
      return v1::SESSION_STATUS_CREATED;
    case v1::SESSION_EVENT_TYPE_ACTIVATED:
      return v1::SESSION_STATUS_ACTIVE;
    case v1::SESSION_EVENT_TYPE_FINALIZED:
      return v1::SESSION_STATUS_FINALIZED;
    case v1::SESSION_EVENT_TYPE_CANCELLED:
      return v1::SESSION_STATUS_CANCELLED;
    case v1::SESSION_EVENT_TYPE_EXPIRED:
      return v1::SESSION_STATUS_EXPIRED;
    case v1::SESSION_EVENT_TYPE_FAILED:
      return v1::SESSION_STATUS_FAILED;
    default:
      return v1::SESSION_STATUS_UNSPECIFIED;
  }
}

v1::SessionStatus StatusOf(const std::string& word) {
  v1::SessionStatus status = v1::SESSION_STATUS_UNSPECIFIED;
  return v1::SessionStatus_Parse(absl::StrCat("SESSION_STATUS_", word), &status)
             ? status
             : v1::SESSION_STATUS_UNSPECIFIED;
}

v1::SessionEventType TypeOf(const std::string& webhook_type) {
  if (webhook_type == "ipp.session.created") return v1::SESSION_EVENT_TYPE_CREATED;
  if (webhook_type == "ipp.session.activated") return v1::SESSION_EVENT_TYPE_ACTIVATED;
  if (webhook_type == "ipp.payment.failed") return v1::SESSION_EVENT_TYPE_PAYMENT_FAILED;
  if (webhook_type == "ipp.session.finalized") return v1::SESSION_EVENT_TYPE_FINALIZED;
  if (webhook_type == "ipp.session.cancelled") return v1::SESSION_EVENT_TYPE_CANCELLED;
  return v1::SESSION_EVENT_TYPE_UNSPECIFIED;
}

std::string Name(v1::SessionEventType type) {
  return std::string(absl::StripPrefix(v1::SessionEventType_Name(type), "SESSION_EVENT_TYPE_"));
}

std::string Name(v1::SessionStatus status) {
  return std::string(absl::StripPrefix(v1::SessionStatus_Name(status), "SESSION_STATUS_"));
}

}  // namespace ipp::faults
