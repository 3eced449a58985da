#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "kustom/ipp/v1/report.pb.h"
#include "kustom/ipp/v1/session_event.pb.h"
#include "server/reports/day.h"

namespace ipp::reports {

// Adds up one day of one merchant from its events. Depends on nothing but the events, so every
// replica gets the same sums. Not thread-safe.
//
// * A session belongs to the day on which it ended (`occurred_at` of its first final event), and
//   stays there when an event CORRECTED tells another end later. So over all days each session that
//   has ended counts once.
// * A session that has not ended belongs to the day of its event CREATED.
// * What is not known yet of a session (phone, currency, amount) comes with the first event that
//   has the whole session, on whatever day that is.
//
// Memory: one entry for each session of the day, about 200 bytes; events of other days leave none.
class DaySum {
 public:
  // `devices`: only sessions of these phones; empty: of all. `max_sessions`: see Add.
  DaySum(Day day, absl::flat_hash_set<std::string> devices, size_t max_sessions)
      : day_(day), devices_(std::move(devices)), max_sessions_(max_sessions) {}

  // Takes the next event of the merchant; `position` is its place in the log. An event that was
  // taken before is ignored. RESOURCE_EXHAUSTED / REPORT_TOO_LARGE when the day has more than
  // `max_sessions` sessions.
  absl::Status Add(int64_t position, const kustom::ipp::v1::SessionEvent& event);

  // Writes `totals` and `devices`. RESOURCE_EXHAUSTED / REPORT_TOO_LARGE when a sum is beyond what
  // int64 holds.
  absl::Status Write(kustom::ipp::v1::GetDayReportResponse* report) const;

 private:
  using Status = kustom::ipp::v1::SessionStatus;
  struct SessionSum {
    int device = 0;    // index in `names_`
    int currency = 0;  // likewise; 0: the whole session is not known
    int64_t amount = 0;
    Status status = kustom::ipp::v1::SESSION_STATUS_UNSPECIFIED;
    bool ended = false;
    bool corrected = false;
    bool webhook_lost = false;
  };
  // By phone, then by currency; "" is what is not known.
  using Totals = std::map<std::string, kustom::ipp::v1::DayTotal>;

  SessionSum* Find(const std::string& session_id);
  absl::Status Insert(const std::string& session_id, SessionSum** session);
  void Learn(const kustom::ipp::v1::SessionEvent& event, SessionSum* session);
  int Name(const std::string& text);
  static bool Count(const SessionSum& session, kustom::ipp::v1::DayTotal* total);

  const Day day_;
  const absl::flat_hash_set<std::string> devices_;
  const size_t max_sessions_;
  int64_t position_ = 0;
  absl::flat_hash_map<std::string, SessionSum> sessions_;
  // Phones and currencies repeat: a session holds their index.
  std::vector<std::string> names_ = {""};
  absl::flat_hash_map<std::string, int> places_ = {{"", 0}};
};

}  // namespace ipp::reports
