#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/error.h"
#include "server/base/log.h"
#include "server/sessions/reconciler.h"
#include "tests/sessions/session_news.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_store.h"

// What the suites over the reconciler stand on: no thread, no time but the test's.
namespace ipp::sessions::fixtures {

inline constexpr absl::Duration kTick = absl::Milliseconds(500);  // of the options by default

// An upstream as the reconciler sees it. A read waits until RunAll(), and longer while it is held.
class ScriptedReads {
 public:
  using Answer = absl::StatusOr<SessionAnswer>;
  struct Read {
    std::string session_id;
    absl::Duration at;  // monotonic
    TraceContext trace;
  };

  explicit ScriptedReads(Clock* clock) : clock_(clock) {}

  ReadSession function() {
    return [this](const std::string&, const std::string& session_id, const TraceContext& trace,
                  auto done) {
      EXPECT_FALSE(refused_) << "a read of " << session_id << " that must not be";
      started_.push_back({session_id, clock_->Monotonic(), trace});
      waiting_.push_back({started_.back(), std::move(done)});
      most_waiting_ = std::max(most_waiting_, waiting_.size());
      for (size_t i = 0; i + 1 < waiting_.size(); ++i) {
        if (waiting_[i].read.session_id == session_id) ++doubled_;
      }
    };
  }

  // What the upstream says of a session from now on; 404 for the others.
  void Say(const std::string& session_id, Answer answer) {
    truth_.insert_or_assign(session_id, std::move(answer));
  }
  void Say(const std::string& session_id, v1::SessionStatus status) {
    v1::Session session = WholeSession(status);
    session.set_session_id(session_id);
    Say(session_id, std::move(session));
  }
  // Which reads are answered now; all when it is null.
  void AnswerWhen(std::function<bool(const Read&)> ready) { ready_ = std::move(ready); }
  void Hold() {
    AnswerWhen([](const Read&) { return false; });
  }
  void Release() { AnswerWhen(nullptr); }
  // From now on a read fails the test.
  void Refuse() { refused_ = true; }

  // The oldest one that waits.
  void AnswerOne(Answer answer) {
    ASSERT_FALSE(waiting_.empty());
    Waiting first = std::move(waiting_.front());
    waiting_.pop_front();
    std::move(first.done)(std::move(answer));
  }
  int RunAll() {
    int done = 0;
    for (size_t i = 0; i < waiting_.size();) {
      if (ready_ && !ready_(waiting_[i].read)) {
        ++i;
        continue;
      }
      Waiting one = std::move(waiting_[i]);
      waiting_.erase(waiting_.begin() + static_cast<ptrdiff_t>(i));
      const auto said = truth_.find(one.read.session_id);
      std::move(one.done)(said != truth_.end() ? said->second
                                               : Answer(absl::NotFoundError("no such session")));
      ++done;
    }
    return done;
  }
  // As the end of a transport.
  void CancelAll() {
    while (!waiting_.empty()) AnswerOne(absl::CancelledError("the transport ends"));
  }

  const std::vector<Read>& started() const { return started_; }
  std::vector<absl::Duration> Times(const std::string& session_id) const {
    std::vector<absl::Duration> times;
    for (const Read& read : started_) {
      if (read.session_id == session_id) times.push_back(read.at);
    }
    return times;
  }
  size_t Count(const std::string& session_id) const { return Times(session_id).size(); }
  bool IsWaiting(const std::string& session_id) const {
    return std::any_of(waiting_.begin(), waiting_.end(), [&](const Waiting& waiting) {
      return waiting.read.session_id == session_id;
    });
  }
  size_t waiting() const { return waiting_.size(); }
  size_t most_waiting() const { return most_waiting_; }
  // Reads that began while another of the same session was under way.
  int doubled() const { return doubled_; }

 private:
  struct Waiting {
    Read read;
    absl::AnyInvocable<void(Answer) &&> done;
  };

  Clock* const clock_;
  std::map<std::string, Answer> truth_;
  std::function<bool(const Read&)> ready_;
  std::vector<Read> started_;
  std::deque<Waiting> waiting_;
  size_t most_waiting_ = 0;
  int doubled_ = 0;
  bool refused_ = false;
};

// A replica: all that the reconciler of one gateway stands on. Replicas share a disk.
class Replica {
 public:
  Replica(FakeClock* clock, FakeScheduler* scheduler, std::shared_ptr<store::FakeDisk> disk,
          ReconcileOptions options = {})
      : store(clock, store::FakeStore::Mode::kManual, std::move(disk)),
        recorder(&store, &metrics, options.times),
        reads(clock),
        reconciler(std::make_unique<Reconciler>(&store, &recorder, reads.function(), clock,
                                                scheduler, &metrics, options)) {}
  // In the gateway's order.
  ~Replica() {
    if (reconciler == nullptr) return;
    reconciler->Stop();
    reads.Refuse();
    store.Release();
    reads.CancelAll();
    Settle();
    reconciler.reset();
  }

  // All that can be done now.
  void Settle() {
    while (store.RunAll() + reads.RunAll() > 0) {
    }
  }
  absl::StatusOr<UpdateEffect> Record(SessionUpdate news) {
    std::optional<absl::StatusOr<UpdateEffect>> answer;
    recorder.Record(std::move(news), [&](absl::StatusOr<Recorded> recorded) {
      if (recorded.ok()) {
        answer = recorded->effect;
      } else {
        answer = recorded.status();
      }
    });
    store.RunAll();
    return answer.value_or(absl::InternalError("no answer"));
  }
  double Reads(const std::string& result) {
    return metrics.counter("ipp_reconcile_reads_total", "", {{"result", result}}).value();
  }
  double Open(const std::string& gauge) {
    return metrics.gauge("ipp_sessions_" + gauge, "").value();
  }
  // The log, "EXPIRED RECONCILIATION".
  std::vector<std::string> Log(const std::string& session_id = "s1") const {
    std::vector<std::string> log;
    for (const v1::SessionEvent& event : store.events()) {
      if (event.session_id() != session_id) continue;
      log.push_back(absl::StrCat(
          absl::StripPrefix(v1::SessionEventType_Name(event.type()), "SESSION_EVENT_TYPE_"), " ",
          absl::StripPrefix(v1::SessionEventSource_Name(event.source()), "SESSION_EVENT_SOURCE_")));
    }
    return log;
  }

  Metrics metrics;
  store::FakeStore store;
  SessionRecorder recorder;
  ScriptedReads reads;
  std::unique_ptr<Reconciler> reconciler;
};

class ReconcilerBed : public testing::Test {
 protected:
  // A read that fails is logged: here they fail by the thousand.
  ReconcilerBed() { EXPECT_TRUE(SetLogLevel("error").ok()); }
  ~ReconcilerBed() override { EXPECT_TRUE(SetLogLevel("info").ok()); }

  std::unique_ptr<Replica> NewReplica(const ReconcileOptions& options) {
    return std::make_unique<Replica>(&clock_, &scheduler_, disk_, options);
  }
  std::unique_ptr<Replica> NewReplica() { return NewReplica(options_); }
  // The one that a test is about, started.
  Replica& Start(const ReconcileOptions& options) {
    options_ = options;
    one_ = NewReplica();
    one_->reconciler->Start();
    one_->Settle();
    return *one_;
  }
  Replica& Start() { return Start(options_); }

  // Time passes for it and for `others`.
  void Pass(absl::Duration time, const std::vector<Replica*>& others = {}) {
    const auto settle = [&] {
      for (Replica* other : others) other->Settle();
      if (one_ != nullptr) one_->Settle();
    };
    settle();
    while (time > absl::ZeroDuration()) {
      const absl::Duration step = std::min(time, scheduler_.NextDelay());
      scheduler_.Advance(step);
      time -= step;
      settle();
    }
  }
  absl::Duration Now() { return clock_.Monotonic(); }

  // The upstream answered a create, just now.
  void Open(const std::string& session_id, v1::SessionStatus status = v1::SESSION_STATUS_CREATED) {
    SessionUpdate news = Answer(status);
    news.session_id = session_id;
    news.session->set_session_id(session_id);
    news.heard_at = absl::Time();
    ASSERT_TRUE(one_->Record(std::move(news)).ok());
    one_->reads.Say(session_id, status);
  }
  // For sessions that were opened just now; the store has not answered when it returns.
  void AskForALease() {
    Pass(options_.times.first - kTick / 2);
    one_->store.Hold();
    scheduler_.Advance(kTick);
    ASSERT_GE(one_->store.waiting(), 1u);
  }
  // A webhook that was never seen before.
  absl::StatusOr<UpdateEffect> Hear(v1::SessionEventType type,
                                    const std::string& session_id = "s1") {
    SessionUpdate news = Webhook(type);
    news.session_id = session_id;
    news.event_id = absl::StrCat("kevt_", ++webhooks_);
    news.heard_at = absl::Time();
    return one_->Record(std::move(news));
  }
  store::SessionRecord Known(const std::string& session_id = "s1") const {
    return disk_->sessions.at({"PM1", session_id});
  }
  // Between its reads, from `since` on.
  std::vector<absl::Duration> Gaps(const std::string& session_id, absl::Duration since) const {
    std::vector<absl::Duration> gaps;
    for (const absl::Duration at : one_->reads.Times(session_id)) {
      if (at <= since) continue;
      gaps.push_back(at - since);
      since = at;
    }
    return gaps;
  }

  FakeClock clock_{kHeardAt};
  FakeScheduler scheduler_{&clock_};
  std::shared_ptr<store::FakeDisk> disk_ = std::make_shared<store::FakeDisk>();
  ReconcileOptions options_;
  std::unique_ptr<Replica> one_;

 private:
  int webhooks_ = 0;
};

// A pause as the options say, jittered by a tenth, up to a tick late.
MATCHER_P(About, pause, "") { return arg >= pause * 0.9 && arg <= pause * 1.1 + kTick; }
// Not jittered: as the recorder put it down.
MATCHER_P(Just, pause, "") { return arg >= pause && arg <= pause + kTick; }

}  // namespace ipp::sessions::fixtures
