#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "kustom/ipp/v1/report.pb.h"
#include "server/store/store.h"

// The pages, from what was read. Pure.
namespace ipp::console {

// A shared subscription as the page shows it.
struct SharedRow {
  std::string caller;
  std::string name;
  store::SharedCounts counts;
  int64_t backlog = 0;
};

struct Overview {
  absl::Time now;
  store::OpenSessions open;
  store::IntentCounts creates;
  std::vector<store::IntentRecord> unknown;  // the newest
  std::vector<SharedRow> subscriptions;
};
std::string OverviewPage(const Overview& overview);

std::string SearchPage(const std::string& asked, const std::vector<store::SessionRecord>& found);

struct SessionHistory {
  store::SessionRecord record;
  std::optional<store::IntentRecord> create;
  std::vector<store::AskedCancel> cancels;
  std::vector<store::StoredEvent> events;
};
std::string SessionPage(const SessionHistory& history);

struct DayAsked {
  std::vector<std::string> merchants;  // that can be chosen
  std::string merchant;
  std::string day;
  std::string time_zone;
};
// `report` null: only the form.
std::string DayPage(const DayAsked& asked, const kustom::ipp::v1::GetDayReportResponse* report);

struct ParkedPageOf {
  std::string caller;
  std::string name;
  std::vector<store::SharedParked> parked;
  bool more = false;
};
std::string SubscriptionPage(const ParkedPageOf& of);

std::string ErrorPage(const std::string& what);

// "250.00 SEK" of minor units. Source of the decimals: ISO 4217.
std::string Money(int64_t minor_units, const std::string& currency);

}  // namespace ipp::console
