#include "server/sessions/session_book.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace ipp::sessions {
namespace {

using kustom::ipp::v1::SessionEventSource;
using kustom::ipp::v1::SessionEventType;

constexpr Verdict kVerdicts[] = {Verdict::kAdvanced,  Verdict::kAttempt,  Verdict::kRecorded,
                                 Verdict::kCompleted, Verdict::kRepeated, Verdict::kLate,
                                 Verdict::kDisagrees, Verdict::kCorrected};

// "SESSION_EVENT_SOURCE_WEBHOOK" → "webhook".
std::string Label(absl::string_view name, absl::string_view prefix) {
  return absl::AsciiStrToLower(absl::StripPrefix(name, prefix));
}

// What the last run of `decide` came to; both it and `done` run on the store's thread.
struct Told {
  Verdict verdict = Verdict::kRepeated;
  std::vector<SessionEventType> events;
};

}  // namespace

absl::string_view VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kAdvanced:
      return "advanced";
    case Verdict::kAttempt:
      return "attempt";
    case Verdict::kRecorded:
      return "recorded";
    case Verdict::kCompleted:
      return "completed";
    case Verdict::kRepeated:
      return "repeated";
    case Verdict::kLate:
      return "late";
    case Verdict::kDisagrees:
      return "disagrees";
    case Verdict::kCorrected:
      return "corrected";
  }
  return "unknown";
}

SessionBook::SessionBook(store::Store* store, Clock* clock, Metrics* metrics, CheckTimes times)
    : store_(store), clock_(clock), times_(times) {
  for (int s = 0; s < kustom::ipp::v1::SessionEventSource_ARRAYSIZE; ++s) {
    const auto source = static_cast<SessionEventSource>(s);
    const std::string source_label =
        Label(kustom::ipp::v1::SessionEventSource_Name(source), "SESSION_EVENT_SOURCE_");
    for (const Verdict verdict : kVerdicts) {
      news_[{source, verdict}] = &metrics->counter(
          "ipp_session_news_total", "News of sessions written down, by what they did.",
          {{"source", source_label}, {"verdict", std::string(VerdictName(verdict))}});
    }
    for (int t = 0; t < kustom::ipp::v1::SessionEventType_ARRAYSIZE; ++t) {
      const auto type = static_cast<SessionEventType>(t);
      events_[{source, type}] = &metrics->counter(
          "ipp_session_events_total", "Events of sessions appended to the log.",
          {{"source", source_label},
           {"type", Label(kustom::ipp::v1::SessionEventType_Name(type), "SESSION_EVENT_TYPE_")}});
    }
  }
}

void SessionBook::Record(News news, absl::AnyInvocable<void(absl::StatusOr<Verdict>) &&> done) {
  if (news.heard_at == absl::Time()) news.heard_at = clock_->Now();
  const SessionEventSource source = news.source;
  store::Transaction transaction;
  if (!news.event_id.empty()) {
    transaction.dedup_key = absl::StrCat(news.merchant_id, "/", news.event_id);
  }
  transaction.merchant_id = news.merchant_id;
  transaction.session_id = news.session_id;
  auto outcome = std::make_shared<Told>();
  transaction.decide = [times = times_, news = std::make_shared<const News>(std::move(news)),
                        outcome](const store::Snapshot& snapshot) {
    *outcome = {};
    if (snapshot.already_seen) return store::Writes{};
    Step step = Advance(snapshot.session, *news, times);
    outcome->verdict = step.verdict;
    for (const store::NewEvent& event : step.events) outcome->events.push_back(event.event.type());
    return store::Writes{std::move(step.record), std::move(step.events)};
  };
  store_->Commit(std::move(transaction),
                 [this, source, outcome = std::move(outcome),
                  done = std::move(done)](absl::StatusOr<store::Committed> committed) mutable {
                   if (!committed.ok()) return std::move(done)(committed.status());
                   news_.at({source, outcome->verdict})->Add();
                   for (const SessionEventType type : outcome->events) {
                     events_.at({source, type})->Add();
                   }
                   std::move(done)(outcome->verdict);
                 });
}

}  // namespace ipp::sessions
