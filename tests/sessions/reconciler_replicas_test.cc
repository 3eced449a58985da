// Several reconcilers on one log, and how one ends.

#include <atomic>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/sessions/reconciler_bed.h"

namespace ipp::sessions {
namespace {

using namespace fixtures;  // NOLINT: the words of these tests
using absl::Hours;
using absl::Minutes;
using absl::Seconds;
using testing::ElementsAre;
using testing::SizeIs;

class ReconcilerReplicasTest : public ReconcilerBed {};

TEST_F(ReconcilerReplicasTest, ShareTheReads) {
  const auto other = NewReplica();
  other->reconciler->Start();
  Start();
  const absl::Duration start = Now();
  for (int i = 0; i < 300; ++i) {
    Open(absl::StrCat("s", i));
    other->reads.Say(absl::StrCat("s", i), v1::SESSION_STATUS_CREATED);
  }
  Pass(Seconds(45), {other.get()});
  size_t all = 0;
  for (int i = 0; i < 300; ++i) {
    const std::string id = absl::StrCat("s", i);
    EXPECT_EQ(one_->reads.Count(id) + other->reads.Count(id), 1u) << id;
    all += other->reads.Count(id);
  }
  EXPECT_GT(all, 100u) << "the budget is each replica's own";
  EXPECT_LT(all, 200u);
  EXPECT_GE(Now(), start);
}

// ---- Random lives. ----

// Three replicas that are restarted at random, sessions that move on and end unheard, reads that
// take long or fail, webhooks that sometimes come.
class RandomWorld : public ReconcilerBed {
 protected:
  static constexpr int kReplicas = 3;
  static constexpr int kSessions = 40;
  static constexpr absl::Duration kLongestRead = Seconds(30);

  void Live(uint32_t seed) {
    random_.seed(seed);
    options_.reads_per_second = 1 + static_cast<int>(random_() % 20);
    options_.max_in_flight = 1 + static_cast<int>(random_() % 4);
    for (int i = 0; i < kReplicas; ++i) Begin(i);
    for (int step = 0; step < 600; ++step) {
      for (int n = static_cast<int>(random_() % 4); n > 0; --n) Disturb();
      PassAll(Seconds(1) * (random_() % 4));
      CheckNobodyReadsTwice();
    }
    for (auto& replica : replicas_) replica->store.FailCommits(absl::OkStatus(), 0);
    calm_ = true;
    PassAll(Minutes(75));
    Check();
  }

 private:
  bool Chance(int percent) { return static_cast<int>(random_() % 100) < percent; }
  Replica& Any() { return *replicas_[random_() % kReplicas]; }

  void Begin(int i) {
    replicas_[i].reset();
    replicas_[i] = NewReplica();
    Replica& replica = *replicas_[i];
    // At most as long as the shortest pause: a lease lasts no longer.
    replica.reads.AnswerWhen([this, &replica](const ScriptedReads::Read& read) {
      const absl::Duration takes =
          Seconds((std::hash<std::string>()(read.session_id) + absl::ToInt64Seconds(read.at)) % 26);
      if (!calm_ && Now() - read.at < takes) return false;
      Say(replica, read.session_id);
      return true;
    });
    replica.reconciler->Start();
  }
  void Say(Replica& replica, const std::string& id) {
    if (calm_ || Chance(70)) return replica.reads.Say(id, truth_.at(id));
    // Only a session that is new is not found: one that stays so for `missing` is given up.
    const bool is_new = Now() - made_at_.at(id) < options_.times.missing / 2;
    replica.reads.Say(id,
                      is_new && Chance(50) ? absl::NotFoundError("") : absl::UnavailableError(""));
  }

  void Disturb() {
    const std::string id = absl::StrCat("s", random_() % kSessions);
    const auto known = truth_.find(id);
    if (Chance(3)) return Begin(static_cast<int>(random_() % kReplicas));
    if (Chance(5)) return Any().store.FailCommits(absl::UnavailableError(""), 3);
    if (known == truth_.end()) {
      truth_[id] = v1::SESSION_STATUS_CREATED;
      made_at_[id] = Now();
      if (Chance(80)) Record(Answer(v1::SESSION_STATUS_CREATED), id);
    } else if (!IsFinal(known->second) && Chance(10)) {
      known->second = static_cast<v1::SessionStatus>(known->second + 1 + random_() % 2);
      if (Chance(30)) Record(Told(known->second), id);
    } else if (!IsFinal(known->second) && Chance(10)) {
      known->second =
          Chance(50) ? v1::SESSION_STATUS_EXPIRED : v1::SESSION_STATUS_FAILED;  // never announced
    }
  }
  SessionUpdate Told(v1::SessionStatus status) {
    SessionUpdate news = Webhook(EventFor(status));
    news.event_id = absl::StrCat("kevt_", ++webhooks_);
    return news;
  }
  void Record(SessionUpdate news, const std::string& id) {
    news.session_id = id;
    news.heard_at = absl::Time();
    if (news.session) news.session->set_session_id(id);
    if (Any().Record(std::move(news)).ok()) {
      heard_.insert(id);
      news_at_[id] = Now();
    }
  }

  void PassAll(absl::Duration time) {
    std::vector<Replica*> all;
    for (const auto& replica : replicas_) all.push_back(replica.get());
    Pass(time, all);
  }
  void CheckNobodyReadsTwice() {
    std::set<std::string> reading;
    for (const auto& replica : replicas_) {
      ASSERT_EQ(replica->reads.doubled(), 0);
      ASSERT_LE(replica->reads.most_waiting(), static_cast<size_t>(options_.max_in_flight));
      for (const auto& [id, status] : truth_) {
        if (!replica->reads.IsWaiting(id)) continue;
        // News makes a session due at once, also while a read that began before is under way.
        const auto news = news_at_.find(id);
        if (news != news_at_.end() && Now() - news->second < kLongestRead) continue;
        ASSERT_TRUE(reading.insert(id).second) << id;
      }
    }
  }
  void Check() {
    ASSERT_GT(heard_.size(), 10u);
    for (const std::string& id : heard_) {
      EXPECT_EQ(Known(id).session.status(), truth_.at(id)) << id;
      EXPECT_EQ(Known(id).open, !IsFinal(truth_.at(id))) << id;
      EXPECT_TRUE(Known(id).complete) << id;
      std::multiset<v1::SessionEventType> types;
      for (const v1::SessionEvent& event : replicas_[0]->store.events()) {
        if (event.session_id() == id) types.insert(event.type());
      }
      // Each step once, and the last one among them.
      EXPECT_EQ(types.count(EventFor(truth_.at(id))), 1u) << id;
      for (const v1::SessionEventType type : types) EXPECT_EQ(types.count(type), 1u) << id;
      EXPECT_EQ(types.count(v1::SESSION_EVENT_TYPE_CORRECTED), 0u) << id;
    }
  }

  std::mt19937 random_;
  std::unique_ptr<Replica> replicas_[kReplicas];
  std::map<std::string, v1::SessionStatus> truth_;
  std::map<std::string, absl::Duration> made_at_;
  std::set<std::string> heard_;
  std::map<std::string, absl::Duration> news_at_;
  bool calm_ = false;
  int webhooks_ = 0;
};

class RandomWorldTest : public RandomWorld, public testing::WithParamInterface<uint32_t> {};

INSTANTIATE_TEST_SUITE_P(Seed, RandomWorldTest, testing::Range(1u, 13u));

TEST_P(RandomWorldTest, IsReadByOneAtATimeAndToldOnceAndInTheEnd) { Live(GetParam()); }

// ---- The end. ----

TEST_F(ReconcilerReplicasTest, StopsWithReadsUnderWayAndWritesDownWhatTheyBring) {
  Start();
  Open("s1");
  Open("s2");
  one_->reads.Say("s1", v1::SESSION_STATUS_EXPIRED);
  one_->reads.Hold();
  Pass(Seconds(31));
  ASSERT_EQ(one_->reads.waiting(), 2u);
  for (int i = 3; i < 30; ++i) Open(absl::StrCat("s", i));
  Pass(Minutes(1));
  one_->reconciler->Stop();
  one_->reads.Refuse();
  one_->reads.Release();
  Pass(Hours(1));
  EXPECT_THAT(one_->Log(), ElementsAre("CREATED API", "EXPIRED RECONCILIATION"));
  EXPECT_EQ(scheduler_.NextDelay(), absl::InfiniteDuration()) << "nothing is left behind";
}

TEST_F(ReconcilerReplicasTest, StopsDuringALeaseAndReadsNothing) {
  Start();
  Open("s1");
  AskForALease();
  one_->reconciler->Stop();
  one_->reads.Refuse();
  one_->store.Release();
  Pass(Hours(1));
}

TEST_F(ReconcilerReplicasTest, StopsTwiceAndWithoutHavingStarted) {
  one_ = NewReplica();
  one_->reconciler->Stop();
  one_->reconciler->Stop();
  one_.reset();
  Start();
  one_->reconciler->Stop();
  one_->reconciler->Stop();
}

// Destroys it on another thread, which has to wait for `let_go`.
void EndsAfter(Replica& replica, const std::function<void()>& let_go) {
  replica.reconciler->Stop();
  replica.reads.Refuse();
  std::atomic<bool> gone = false;
  std::thread end([&] {
    replica.reconciler.reset();
    gone = true;
  });
  std::this_thread::yield();
  EXPECT_FALSE(gone);
  let_go();
  end.join();
}

TEST_F(ReconcilerReplicasTest, EndsAfterTheReadsUnderWayAndTheirRecords) {
  Start();
  Open("s1");
  one_->reads.Say("s1", v1::SESSION_STATUS_EXPIRED);
  one_->reads.Hold();
  Pass(Seconds(31));
  ASSERT_EQ(one_->reads.waiting(), 1u);
  EndsAfter(*one_, [&] {
    one_->reads.Release();
    one_->Settle();
  });
  EXPECT_THAT(one_->Log(), SizeIs(2));
}

TEST_F(ReconcilerReplicasTest, EndsAfterTheLeaseUnderWay) {
  Start();
  Open("s1");
  AskForALease();
  EndsAfter(*one_, [&] {
    one_->store.Release();
    one_->Settle();
  });
}

TEST_F(ReconcilerReplicasTest, EndsAfterWhatAWatchAskedOfTheStore) {
  Start();
  Open("s1");
  one_->store.Hold();
  one_->reconciler->WatchSession("PM1", "s1").reset();
  EndsAfter(*one_, [&] {
    one_->store.Release();
    one_->Settle();
  });
}

}  // namespace
}  // namespace ipp::sessions
