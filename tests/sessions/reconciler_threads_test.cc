// The reconciler with real threads: a scheduler's, a store's, and those that answer reads.

#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/log.h"
#include "server/sessions/reconciler.h"
#include "tests/sessions/session_news.h"
#include "tests/support/fake_store.h"

namespace ipp::sessions {
namespace {

using namespace fixtures;  // NOLINT: the words of these tests

// Answers each read on one of its threads. Ends when all that was asked is answered.
class AnsweringThreads {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<SessionAnswer>) &&>;

  explicit AnsweringThreads(int count) {
    for (int i = 0; i < count; ++i) threads_.emplace_back([this, i] { Loop(i); });
  }
  ~AnsweringThreads() {
    {
      MutexLock lock(&mutex_);
      ending_ = true;
      changed_.SignalAll();
    }
    for (std::thread& thread : threads_) thread.join();
  }

  void Read(const std::string& session_id, Done done) {
    MutexLock lock(&mutex_);
    EXPECT_FALSE(refused_) << "a read after Stop";
    waiting_.emplace_back(session_id, std::move(done));
    ++asked_;
    changed_.SignalAll();
  }
  void Refuse() {
    MutexLock lock(&mutex_);
    refused_ = true;
  }
  void WaitForReads(int count) {
    MutexLock lock(&mutex_);
    while (asked_ < count) changed_.Wait(&mutex_);
  }

 private:
  void Loop(int seed) {
    std::mt19937 random(static_cast<uint32_t>(seed));
    while (true) {
      std::pair<std::string, Done> one;
      {
        MutexLock lock(&mutex_);
        while (waiting_.empty() && !ending_) changed_.Wait(&mutex_);
        if (waiting_.empty()) return;
        one = std::move(waiting_.front());
        waiting_.pop_front();
      }
      if (random() % 4 == 0) {
        std::move(one.second)(absl::UnavailableError("not now"));
        continue;
      }
      v1::Session session =
          WholeSession(random() % 4 == 0 ? v1::SESSION_STATUS_EXPIRED : v1::SESSION_STATUS_CREATED);
      session.set_session_id(one.first);
      std::move(one.second)(std::move(session));
    }
  }

  Mutex mutex_;
  CondVar changed_;
  std::deque<std::pair<std::string, Done>> waiting_ ABSL_GUARDED_BY(mutex_);
  int asked_ ABSL_GUARDED_BY(mutex_) = 0;
  bool refused_ ABSL_GUARDED_BY(mutex_) = false;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

class ReconcilerThreadsTest : public testing::Test {
 protected:
  ReconcilerThreadsTest() {
    EXPECT_TRUE(SetLogLevel("error").ok());
    options_.times.first = absl::Milliseconds(20);
    options_.times.complete = absl::Milliseconds(20);
    options_.max = absl::Milliseconds(50);
    options_.watched = absl::Milliseconds(20);
    options_.max_in_flight = 8;
    options_.reads_per_second = 10'000;
  }
  ~ReconcilerThreadsTest() override { EXPECT_TRUE(SetLogLevel("info").ok()); }

  // So many more, called s0, s1 …; durable when it returns.
  void Open(int count) {
    Mutex mutex;
    CondVar changed;
    int written = 0;
    for (int i = 0; i < count; ++i) {
      SessionUpdate news = Answer(v1::SESSION_STATUS_CREATED);
      news.session_id = absl::StrCat("s", opened_++);
      news.session->set_session_id(news.session_id);
      news.heard_at = absl::Time();
      recorder_.Record(std::move(news), [&](absl::StatusOr<Recorded> recorded) {
        EXPECT_TRUE(recorded.ok()) << recorded.status();
        MutexLock lock(&mutex);
        ++written;
        changed.SignalAll();
      });
    }
    MutexLock lock(&mutex);
    while (written < count) changed.Wait(&mutex);
  }
  std::unique_ptr<Reconciler> NewReconciler(AnsweringThreads* answers) {
    return std::make_unique<Reconciler>(
        &store_, &recorder_,
        [answers](const std::string&, const std::string& session_id, const TraceContext&,
                  auto done) { answers->Read(session_id, std::move(done)); },
        Clock::Real(), &scheduler_, &metrics_, options_);
  }
  int Expired() const {
    int expired = 0;
    for (const v1::SessionEvent& event : store_.events()) {
      if (event.type() == v1::SESSION_EVENT_TYPE_EXPIRED) ++expired;
    }
    return expired;
  }

  ReconcileOptions options_;
  int opened_ = 0;
  Metrics metrics_;
  ThreadScheduler scheduler_;
  store::FakeStore store_{Clock::Real()};
  SessionRecorder recorder_{&store_, &metrics_, {absl::Milliseconds(20), absl::Milliseconds(20)}};
};

TEST_F(ReconcilerThreadsTest, FindsEveryEndOnce) {
  constexpr int kCount = 100;
  Mutex mutex;
  CondVar changed;
  int told = 0;
  store_.SetListener([&](int64_t latest, const std::vector<store::StoredEvent>&) {
    MutexLock lock(&mutex);
    told = static_cast<int>(latest);
    changed.SignalAll();
  });
  AnsweringThreads answers(2);
  const auto first = NewReconciler(&answers);
  const auto second = NewReconciler(&answers);
  first->Start();
  second->Start();
  Open(kCount);
  std::thread watcher([&] {
    for (int i = 0; i < 500; ++i) {
      first->WatchSession("PM1", absl::StrCat("s", i % kCount));
      const auto watch = second->WatchSession("PM1", absl::StrCat("s", (i * 7) % kCount));
    }
  });
  {
    // Created and expired.
    MutexLock lock(&mutex);
    while (told < 2 * kCount) changed.Wait(&mutex);
  }
  watcher.join();
  first->Stop();
  second->Stop();
  store_.SetListener(nullptr);
  EXPECT_EQ(Expired(), kCount);
}

TEST_F(ReconcilerThreadsTest, MayStopAtAnyMoment) {
  std::mt19937 random(1);
  for (int round = 0; round < 30; ++round) {
    Open(50);
    AnsweringThreads answers(2);
    auto reconciler = NewReconciler(&answers);
    reconciler->Start();
    std::thread watcher([&] {
      for (int i = 0; i < 50; ++i) {
        reconciler->WatchSession("PM1", absl::StrCat("s", opened_ - 1 - i));
      }
    });
    if (round % 3 != 0) answers.WaitForReads(static_cast<int>(random() % 50));
    reconciler->Stop();
    answers.Refuse();
    watcher.join();
    reconciler.reset();
  }
}

}  // namespace
}  // namespace ipp::sessions
