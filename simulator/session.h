#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "simulator/sim_clock.h"

namespace ipp::simulator {

enum class SessionStatus { kCreated, kActive, kFinalized, kCancelled, kExpired, kFailed };

// What can happen to a session after it was made.
enum class SessionStep { kActivate, kDecline, kPay, kCancel, kExpire, kFail };

// CREATED -> ACTIVE -> FINALIZED, and CANCELLED, EXPIRED or FAILED out of both open states. A
// decline leaves ACTIVE as it is. Nullopt: the step is not possible from there.
std::optional<SessionStatus> Next(SessionStatus from, SessionStep step);

bool IsFinal(SessionStatus status);
std::string_view Name(SessionStatus status);

// The type of the event for a step; empty for steps without an event.
std::string_view EventType(SessionStep step);

struct OrderItem {
  std::string type;  // empty: not given
  std::string reference;
  std::string name;
  int64_t quantity = 1;
  int64_t unit_price = 0;
  int64_t total_amount = 0;
  int64_t tax_rate = 0;  // basis points
  int64_t total_discount_amount = 0;
  int64_t total_tax_amount = 0;
};

struct Session {
  std::string id;
  std::string merchant_id;
  SessionStatus status = SessionStatus::kCreated;
  Time created_at;
  std::string device_id;
  std::string order_id;  // empty until the session is paid
  int64_t order_amount = 0;
  std::optional<int64_t> order_tax_amount;
  std::string purchase_currency;
  std::optional<std::string> purchase_started_at;
  std::optional<std::string> purchase_completed_at;
  std::vector<OrderItem> order_items;
  std::optional<std::string> merchant_reference1;
  std::optional<std::string> merchant_reference2;
  std::optional<std::string> merchant_data;
  std::string failure_reason;  // of the last decline; empty: there was none

  struct Step {
    SessionStatus status;
    Time at;
  };
  std::vector<Step> history;  // of statuses, the present one last

  std::string json;  // as the API shows it; made anew by World with each change
};

}  // namespace ipp::simulator
