#include "server/reports/day_sum.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/base/protobuf_time.h"

namespace ipp::reports {
namespace {

namespace v1 = kustom::ipp::v1;

// The status that a final event tells; UNSPECIFIED for other events.
v1::SessionStatus EndOf(v1::SessionEventType type) {
  switch (type) {
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

absl::Status TooLarge(absl::string_view what) {
  return MakeError(absl::StatusCode::kResourceExhausted, what,
                   {.reason = "REPORT_TOO_LARGE", .metadata = {{"retry_safe", "false"}}});
}

void CountStatus(v1::SessionStatus status, v1::DayTotal* total) {
  for (v1::StatusCount& count : *total->mutable_ended()) {
    if (count.status() == status) return count.set_count(count.count() + 1);
  }
  v1::StatusCount& added = *total->add_ended();
  added.set_status(status);
  added.set_count(1);
}

}  // namespace

absl::Status DaySum::Add(int64_t position, const v1::SessionEvent& event) {
  if (position <= position_) return absl::OkStatus();
  position_ = position;
  SessionSum* session = Find(event.session_id());
  const v1::SessionStatus end = EndOf(event.type());
  const bool ends =
      end != v1::SESSION_STATUS_UNSPECIFIED && (session == nullptr || !session->ended);
  const bool of_the_day = day_.Holds(FromTimestamp(event.occurred_at()));
  if (ends && !of_the_day) {
    // It was created on this day and ended on another one.
    if (session != nullptr) sessions_.erase(event.session_id());
    return absl::OkStatus();
  }
  const bool created = event.type() == v1::SESSION_EVENT_TYPE_CREATED && of_the_day;
  if (session == nullptr && (ends || created)) {
    if (absl::Status added = Insert(event.session_id(), &session); !added.ok()) return added;
  }
  if (session == nullptr) return absl::OkStatus();
  Learn(event, session);
  if (ends) {
    session->ended = true;
    session->status = end;
    session->webhook_lost = end == v1::SESSION_STATUS_FINALIZED &&
                            event.source() == v1::SESSION_EVENT_SOURCE_RECONCILIATION;
  }
  if (event.type() == v1::SESSION_EVENT_TYPE_CORRECTED && session->ended) {
    session->corrected = true;
    session->status = event.session().status();
  }
  return absl::OkStatus();
}

DaySum::SessionSum* DaySum::Find(const std::string& session_id) {
  const auto found = sessions_.find(session_id);
  return found == sessions_.end() ? nullptr : &found->second;
}

absl::Status DaySum::Insert(const std::string& session_id, SessionSum** session) {
  if (sessions_.size() >= max_sessions_) {
    return TooLarge(absl::StrCat("the day has more than ", max_sessions_, " sessions"));
  }
  *session = &sessions_[session_id];
  return absl::OkStatus();
}

// Only a whole session has a currency.
void DaySum::Learn(const v1::SessionEvent& event, SessionSum* session) {
  const v1::Session& seen = event.session();
  if (!seen.device_id().empty()) session->device = Name(seen.device_id());
  if (seen.purchase_currency().empty()) return;
  session->currency = Name(seen.purchase_currency());
  session->amount = seen.order_amount();
}

int DaySum::Name(const std::string& text) {
  const auto [place, added] = places_.try_emplace(text, static_cast<int>(names_.size()));
  if (added) names_.push_back(text);
  return place->second;
}

// False: a sum is too large.
bool DaySum::Count(const SessionSum& session, v1::DayTotal* total) {
  if (!session.ended) {
    total->set_open_count(total->open_count() + 1);
    return true;
  }
  CountStatus(session.status, total);
  if (session.corrected) total->set_corrected_count(total->corrected_count() + 1);
  if (session.status != v1::SESSION_STATUS_FINALIZED) return true;
  total->set_paid_count(total->paid_count() + 1);
  if (session.webhook_lost) total->set_webhook_lost_count(total->webhook_lost_count() + 1);
  if (session.currency == 0) {
    total->set_paid_amount_unknown_count(total->paid_amount_unknown_count() + 1);
    return true;
  }
  int64_t paid = 0;
  int64_t corrected = 0;
  if (__builtin_add_overflow(total->paid_amount(), session.amount, &paid) ||
      __builtin_add_overflow(total->corrected_paid_amount(), session.corrected ? session.amount : 0,
                             &corrected)) {
    return false;
  }
  total->set_paid_amount(paid);
  total->set_corrected_paid_amount(corrected);
  return true;
}

absl::Status DaySum::Write(v1::GetDayReportResponse* report) const {
  Totals all;
  std::map<std::string, Totals> by_device;
  for (const auto& [id, session] : sessions_) {
    const std::string& device = names_[static_cast<size_t>(session.device)];
    const std::string& currency = names_[static_cast<size_t>(session.currency)];
    if (!devices_.empty() && !devices_.contains(device)) continue;
    if (!Count(session, &all[currency]) || !Count(session, &by_device[device][currency])) {
      return TooLarge("a sum of the day is beyond what 64 bits hold");
    }
  }
  const auto write = [](Totals& totals, auto* field) {
    for (auto& [currency, total] : totals) {
      total.set_currency(currency);
      std::sort(total.mutable_ended()->begin(), total.mutable_ended()->end(),
                [](const auto& a, const auto& b) { return a.status() < b.status(); });
      *field->Add() = std::move(total);
    }
  };
  write(all, report->mutable_totals());
  for (auto& [device, totals] : by_device) {
    v1::DeviceDayTotal& added = *report->add_devices();
    added.set_device_id(device);
    write(totals, added.mutable_totals());
  }
  return absl::OkStatus();
}

}  // namespace ipp::reports
