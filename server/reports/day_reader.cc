#include "server/reports/day_reader.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/base/protobuf_time.h"
#include "server/creates/create_request.h"
#include "server/reports/day_sum.h"

namespace ipp::reports {
namespace {

namespace v1 = kustom::ipp::v1;
using store::IntentRecord;
using store::IntentState;

// Events a page: adding up one takes a few microseconds, on the store's reader thread.
constexpr int kReadEvents = 256;
constexpr int kReadIntents = 256;
// How far the upstream's clock, which dates events, may be ahead of the one that dates the log.
constexpr absl::Duration kSkew = absl::Minutes(10);

absl::Status NotKept(absl::Time complete_since) {
  return MakeError(
      absl::StatusCode::kOutOfRange, "the log does not keep this day any more",
      {.reason = "DAY_NOT_KEPT",
       .metadata = {{"retry_safe", "false"},
                    {"complete_since",
                     absl::FormatTime(absl::RFC3339_sec, complete_since, absl::UTCTimeZone())}}});
}

// 1. The bounds of the log, which is where the report ends; what is the oldest event.
// 2. The events from the beginning of the day on, page by page.
// 3. The creates whose outcome is unknown, the newest first.
class DayReader : public std::enable_shared_from_this<DayReader> {
 public:
  DayReader(store::Store* store, DayQuestion question, v1::GetDayReportResponse* report,
            absl::AnyInvocable<void(absl::Status) &&> done)
      : store_(store),
        question_(std::move(question)),
        sum_(question_.day, question_.devices, question_.max_sessions),
        report_(report),
        done_(std::move(done)) {}

  void Begin() {
    report_->set_merchant_id(question_.merchant_id);
    *report_->mutable_starts_at() = ToTimestamp(question_.day.starts_at);
    *report_->mutable_ends_at() = ToTimestamp(question_.day.ends_at);
    as_of_ = store_->Now();
    store_->RefreshBounds(Then<store::LogBounds>(&DayReader::GotBounds));
  }

 private:
  // Goes on with `next`, or ends with the error.
  template <typename T>
  store::Done<T> Then(void (DayReader::*next)(T)) {
    return [self = shared_from_this(), next](absl::StatusOr<T> result) {
      if (!result.ok()) return self->End(result.status());
      if (self->question_.cancelled()) return self->End(absl::CancelledError("no longer wanted"));
      (self.get()->*next)(*std::move(result));
    };
  }

  void GotBounds(store::LogBounds bounds) {
    last_ = bounds.latest;
    if (bounds.oldest <= 1) return FindStart();
    oldest_ = bounds.oldest;
    store_->ReadEvents(oldest_ - 1, 1,
                       Then<std::vector<store::StoredEvent>>(&DayReader::GotOldest));
  }

  void GotOldest(std::vector<store::StoredEvent> rows) {
    const absl::Time since = rows.empty() ? as_of_ : rows.front().recorded_at;
    *report_->mutable_complete_since() = ToTimestamp(since);
    if (since >= question_.day.ends_at) return End(NotKept(since));
    report_->set_partial(since > question_.day.starts_at);
    FindStart();
  }

  void FindStart() {
    store_->FindPosition(question_.day.starts_at - kSkew, Then<int64_t>(&DayReader::ReadAfter));
  }

  void ReadAfter(int64_t position) {
    after_ = position;
    if (position >= last_) return Counted();
    store_->ReadEvents(position, kReadEvents,
                       Then<std::vector<store::StoredEvent>>(&DayReader::GotEvents));
  }

  void GotEvents(std::vector<store::StoredEvent> rows) {
    if (rows.empty()) return Counted();
    // Retention has overtaken this report.
    if (rows.front().position != after_ + 1) report_->set_partial(true);
    for (const store::StoredEvent& row : rows) {
      if (row.position > last_) return Counted();
      if (row.merchant_id != question_.merchant_id) continue;
      v1::SessionEvent event;
      if (!event.ParseFromString(row.payload)) {
        return End(absl::DataLossError("an event in the log cannot be read"));
      }
      if (absl::Status added = sum_.Add(row.position, event); !added.ok()) return End(added);
    }
    ReadAfter(rows.back().position);
  }

  void Counted() {
    *report_->mutable_as_of() = ToTimestamp(as_of_);
    if (absl::Status written = sum_.Write(report_); !written.ok()) return End(written);
    ReadCreates(0);
  }

  void ReadCreates(int64_t before_id) {
    store_->ListIntents({.merchant_ids = {question_.merchant_id},
                         .states = {IntentState::kUnknown},
                         .before_id = before_id,
                         .limit = kReadIntents},
                        Then<std::vector<IntentRecord>>(&DayReader::GotCreates));
  }

  void GotCreates(std::vector<IntentRecord> intents) {
    for (const IntentRecord& intent : intents) {
      if (intent.rpc != "CreateSession" || !question_.day.Holds(intent.created_at)) continue;
      if (!question_.devices.empty() &&
          !question_.devices.contains(creates::PlaceOf(intent).device_id)) {
        continue;
      }
      report_->set_creates_unknown(report_->creates_unknown() + 1);
    }
    // Their ids are in the order of their creation.
    if (intents.size() < kReadIntents ||
        intents.back().created_at < question_.day.starts_at - kSkew) {
      return End(absl::OkStatus());
    }
    ReadCreates(intents.back().id);
  }

  void End(const absl::Status& status) { std::move(done_)(status); }

  store::Store* const store_;
  const DayQuestion question_;
  DaySum sum_;
  v1::GetDayReportResponse* const report_;
  absl::AnyInvocable<void(absl::Status) &&> done_;
  absl::Time as_of_;
  int64_t oldest_ = 0;
  int64_t last_ = 0;   // the last position that counts
  int64_t after_ = 0;  // read up to here
};

}  // namespace

void ReadDay(store::Store* store, DayQuestion question, v1::GetDayReportResponse* report,
             absl::AnyInvocable<void(absl::Status) &&> done) {
  std::make_shared<DayReader>(store, std::move(question), report, std::move(done))->Begin();
}

}  // namespace ipp::reports
