#include "simulator/session.h"

namespace ipp::simulator {

std::optional<SessionStatus> Next(SessionStatus from, SessionStep step) {
  const bool created = from == SessionStatus::kCreated;
  const bool active = from == SessionStatus::kActive;
  switch (step) {
    case SessionStep::kActivate:
      if (created) return SessionStatus::kActive;
      break;
    case SessionStep::kDecline:
      if (active) return SessionStatus::kActive;
      break;
    case SessionStep::kPay:
      if (active) return SessionStatus::kFinalized;
      break;
    case SessionStep::kCancel:
      if (created || active) return SessionStatus::kCancelled;
      break;
    case SessionStep::kExpire:
      if (created || active) return SessionStatus::kExpired;
      break;
    case SessionStep::kFail:
      if (created || active) return SessionStatus::kFailed;
      break;
  }
  return std::nullopt;
}

bool IsFinal(SessionStatus status) {
  return status != SessionStatus::kCreated && status != SessionStatus::kActive;
}

std::string_view Name(SessionStatus status) {
  switch (status) {
    case SessionStatus::kCreated:
      return "CREATED";
    case SessionStatus::kActive:
      return "ACTIVE";
    case SessionStatus::kFinalized:
      return "FINALIZED";
    case SessionStatus::kCancelled:
      return "CANCELLED";
    case SessionStatus::kExpired:
      return "EXPIRED";
    case SessionStatus::kFailed:
      return "FAILED";
  }
  return {};
}

std::string_view EventType(SessionStep step) {
  switch (step) {
    case SessionStep::kActivate:
      return "ipp.session.activated";
    case SessionStep::kDecline:
      return "ipp.payment.failed";
    case SessionStep::kPay:
      return "ipp.session.finalized";
    case SessionStep::kCancel:
      return "ipp.session.cancelled";
    case SessionStep::kExpire:
    case SessionStep::kFail:
      break;  // the real service is not known to send events for these
  }
  return {};
}

}  // namespace ipp::simulator
