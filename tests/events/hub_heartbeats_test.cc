#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/events/hub_bed.h"

// A cursor taken at any moment, as a heartbeat does it: the wish is withdrawn, then the position is
// read. It must be behind every event that was not handed out, and not behind what was.
namespace ipp::events {
namespace {

using namespace fixtures;  // NOLINT: the words of these tests

// What a stream does with its subscription, step by step.
class Pulse {
 public:
  Pulse(EventHub& hub, EventFilter filter, int64_t after)
      : subscription_(hub.Subscribe(std::move(filter), after)) {}

  // Asks for the next event, unless it has asked. Its position when it is there, else 0.
  int64_t Ask() {
    if (asked_) return 0;
    const EventPtr event = wish_.Ask(*subscription_);
    asked_ = event == nullptr;
    return asked_ ? 0 : event->row.position;
  }
  bool asked() const { return asked_; }
  bool answered() const { return asked_ && wish_.answered(); }
  // After Ask().
  int64_t Wait() {
    asked_ = false;
    const absl::StatusOr<EventPtr> event = wish_.Wait();
    EXPECT_TRUE(event.ok()) << event.status();
    return event.ok() ? (*event)->row.position : 0;
  }
  // The heartbeat's position; -1: an event is about to come, so there is none.
  int64_t Beat() {
    if (asked_ && !subscription_->Withdraw()) return -1;
    asked_ = false;
    return subscription_->position();
  }

 private:
  std::unique_ptr<Subscription> subscription_;
  Wish wish_;
  bool asked_ = false;
};

class HubHeartbeats : public HubBed {};

// etcd issue 15220: progress was reported by the revision of the store, while an event up to it was
// still to be sent.
TEST_F(HubHeartbeats, AreNotAheadOfAnEventThatIsOnItsWay) {
  Open();
  Pulse pulse(*hub_, Everything(), 0);
  EXPECT_EQ(pulse.Ask(), 0);
  replica_.HoldReads();
  Append(store_, 3);  // the hub has heard of it and is reading it
  while (replica_.waiting_reads() == 0) std::this_thread::yield();
  EXPECT_EQ(pulse.Beat(), 0);
  EXPECT_EQ(pulse.Ask(), 0);
  replica_.ReleaseReads();
  EXPECT_EQ(pulse.Wait(), 1);
  EXPECT_EQ(pulse.Beat(), 1) << "two and three are at hand, not handed out";
  EXPECT_EQ(pulse.Ask(), 2);
}

// etcd pull request 17566: a watch that begins at the head, and whose filter lets nothing through,
// got no progress at all.
TEST_F(HubHeartbeats, GoOnRightAfterAResumeAtTheHead) {
  Append(store_, 20);
  Open();
  Pulse pulse(*hub_, Everything("PM9"), 20);
  EXPECT_EQ(pulse.Beat(), 20) << "before it has asked at all";
  EXPECT_EQ(pulse.Ask(), 0);
  EXPECT_EQ(pulse.Beat(), 20);
  EXPECT_EQ(pulse.Ask(), 0);
  AppendAndCatchUp(*hub_, store_);
  EXPECT_EQ(pulse.Beat(), 21);
  EXPECT_EQ(pulse.Ask(), 0);
  AppendAndCatchUp(*hub_, store_);
  EXPECT_EQ(pulse.Beat(), 22);
}

TEST_F(HubHeartbeats, AreNotAheadOfAPageThatIsOnItsWay) {
  Append(store_, 40);
  Open();
  AppendAndCatchUp(*hub_, store_);
  Pulse pulse(*hub_, Everything(), 3);
  replica_.HoldReads();
  EXPECT_EQ(pulse.Ask(), 0);
  EXPECT_EQ(pulse.Beat(), 3);
  replica_.ReleaseReads();
  Settle();
  EXPECT_EQ(pulse.Beat(), 3) << "the page is there, nothing of it is handed out";
  EXPECT_EQ(pulse.Ask(), 4);
  EXPECT_EQ(pulse.Beat(), 4);
}

TEST_F(HubHeartbeats, MoveThroughHistoryThatDoesNotMatch) {
  Append(store_, 40);
  Append(store_, 1, "PM2");
  Open();
  AppendAndCatchUp(*hub_, store_);
  Pulse pulse(*hub_, Everything("PM2"), 0);
  replica_.HoldReads();
  EXPECT_EQ(pulse.Ask(), 0);
  // A page at a time: each brings the reader on by five.
  for (int64_t at = 0, event = 0; event == 0; at += 5) {
    ASSERT_LE(at, 40);
    EXPECT_EQ(pulse.Beat(), at);
    replica_.ReleaseReads();
    Settle();
    replica_.HoldReads();
    event = pulse.Ask();
    EXPECT_THAT(event, testing::AnyOf(0, 41));
  }
  EXPECT_EQ(pulse.Beat(), 41);
  replica_.ReleaseReads();
}

// etcd pull request 20229: a watch that began ahead of the store got a progress behind its
// beginning, and then events that it had not asked for.
TEST_F(HubHeartbeats, OfASubscriberAheadOfTheTailStayWhereItBegan) {
  replica_.HoldNews();
  Open();
  Append(store_, 10);
  Pulse pulse(*hub_, Everything(), 7);
  EXPECT_EQ(pulse.Ask(), 0);
  EXPECT_EQ(pulse.Beat(), 7);
  EXPECT_EQ(pulse.Ask(), 0);
  replica_.Tell();
  EXPECT_EQ(pulse.Wait(), 8);
}

// ---- Whatever happens when. ----

struct Row {
  std::string merchant;
  std::string session;
  v1::SessionEventType type;
};

class RandomLog {
 public:
  explicit RandomLog(std::mt19937* random) : random_(random) {}

  int Pick(int n) { return std::uniform_int_distribution<int>(0, n - 1)(*random_); }

  void Append(store::Store& store, int count) {
    std::vector<Row> batch;
    for (int i = 0; i < count; ++i) {
      batch.push_back({Pick(3) == 0 ? "PM2" : "PM1", "s" + std::to_string(Pick(4)),
                       static_cast<v1::SessionEventType>(1 + Pick(4))});
    }
    rows_.insert(rows_.end(), batch.begin(), batch.end());
    store::Transaction transaction;
    transaction.decide = [batch](const store::Snapshot&) {
      store::Writes writes;
      for (const Row& row : batch) {
        store::NewEvent& event = writes.events.emplace_back();
        event.event.set_merchant_id(row.merchant);
        event.event.set_session_id(row.session);
        event.event.set_type(row.type);
      }
      return writes;
    };
    ASSERT_TRUE(store::contract::Commit(store, std::move(transaction)).ok());
  }

  // A filter, and the same as a plain question about a row.
  EventFilter MakeFilter() {
    v1::SessionEventFilter filter;
    sessions_.clear();
    types_.clear();
    for (int i = Pick(3); i > 0; --i) sessions_.push_back("s" + std::to_string(Pick(6)));
    for (int i = Pick(3); i > 0; --i) {
      types_.push_back(static_cast<v1::SessionEventType>(1 + Pick(5)));
    }
    for (const std::string& session : sessions_) filter.add_session_ids(session);
    for (const auto type : types_) filter.add_types(type);
    merchants_ =
        Pick(2) == 0 ? std::vector<std::string>{"PM1"} : std::vector<std::string>{"PM1", "PM2"};
    return *EventFilter::Create(filter, merchants_);
  }
  bool Matches(const Row& row) const {
    const auto in = [](const auto& list, const auto& value) {
      return std::find(list.begin(), list.end(), value) != list.end();
    };
    return in(merchants_, row.merchant) && (sessions_.empty() || in(sessions_, row.session)) &&
           (types_.empty() || in(types_, row.type));
  }
  // Positions after `after` that the filter lets through.
  std::vector<int64_t> Matching(int64_t after) const {
    std::vector<int64_t> positions;
    for (size_t i = static_cast<size_t>(after); i < rows_.size(); ++i) {
      if (Matches(rows_[i])) positions.push_back(static_cast<int64_t>(i) + 1);
    }
    return positions;
  }
  int64_t size() const { return static_cast<int64_t>(rows_.size()); }

 private:
  std::mt19937* const random_;
  std::vector<Row> rows_;
  std::vector<std::string> merchants_, sessions_;
  std::vector<v1::SessionEventType> types_;
};

class RandomHeartbeats : public HubBed, public testing::WithParamInterface<int> {
 protected:
  void Deliver(int64_t position) {
    const std::vector<int64_t> rest = log_.Matching(at_);
    ASSERT_FALSE(rest.empty());
    ASSERT_EQ(position, rest.front()) << "after " << at_;
    Mark(position);
  }
  // A cursor that a subscriber was given.
  void Mark(int64_t position) {
    ASSERT_GE(position, at_) << "a cursor went back";
    const std::vector<int64_t> rest = log_.Matching(at_);
    if (!rest.empty()) {
      ASSERT_LE(position, rest.front()) << "a cursor went over an event";
    }
    at_ = position;
    cursors_.push_back(position);
  }
  void Beat(Pulse* pulse) {
    const int64_t position = pulse->Beat();
    if (position < 0) return;
    const std::vector<int64_t> rest = log_.Matching(at_);
    if (!rest.empty()) {
      ASSERT_LT(position, rest.front()) << "a heartbeat overtook an event";
    }
    Mark(position);
  }

  std::mt19937 random_{static_cast<std::mt19937::result_type>(GetParam())};
  RandomLog log_{&random_};
  int64_t at_ = 0;  // the last cursor
  std::vector<int64_t> cursors_;
};

TEST_P(RandomHeartbeats, GiveCursorsThatContinueWithExactlyWhatWasNotDelivered) {
  log_.Append(store_, log_.Pick(60));
  Open();
  const EventFilter filter = log_.MakeFilter();
  at_ = log_.size() == 0 ? 0 : log_.Pick(static_cast<int>(log_.size()) + 1);
  Pulse pulse(*hub_, filter, at_);
  bool held = false;
  for (int step = 0; step < 150 && !HasFatalFailure(); ++step) {
    switch (log_.Pick(6)) {
      case 0:
        log_.Append(store_, 1 + log_.Pick(12));
        break;
      case 1:
        held = !held;
        held ? replica_.HoldReads() : replica_.ReleaseReads();
        break;
      case 2:
      case 3:
        Beat(&pulse);
        break;
      default:
        if (!pulse.asked()) {
          if (const int64_t event = pulse.Ask(); event != 0) Deliver(event);
        } else if (pulse.answered() || (!held && !log_.Matching(at_).empty())) {
          Deliver(pulse.Wait());
        }
    }
  }
  replica_.ReleaseReads();
  while (!log_.Matching(at_).empty() && !HasFatalFailure()) {
    const int64_t event = pulse.Ask();
    Deliver(event != 0 ? event : pulse.Wait());
  }
  Beat(&pulse);
  for (const int64_t cursor : cursors_) {
    const std::vector<int64_t> rest = log_.Matching(cursor);
    auto resumed = hub_->Subscribe(filter, cursor);
    ASSERT_EQ(Follow(*resumed, static_cast<int64_t>(rest.size())), rest) << "after " << cursor;
  }
  ExpectNothingWrong();
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomHeartbeats, testing::Range(1, 41));

// ---- What a reader that does not read costs. ----

TEST_F(HubHeartbeats, KeepNoEventsForReadersThatDoNotAsk) {
  constexpr int kEvents = 10'000;
  Open();
  auto quick = hub_->Subscribe(Everything(), 0);
  auto stalled = hub_->Subscribe(Everything(), 0);
  auto behind = hub_->Subscribe(Everything(), 0);
  std::vector<std::weak_ptr<const LogEvent>> all;
  EventPtr in_flight;  // as a write that does not end
  for (int i = 0; i < kEvents; i += 100) {
    Append(store_, 100);
    for (int j = 0; j < 100; ++j) all.push_back(*NextOf(*quick));
    if (i == 0) in_flight = *NextOf(*stalled);
  }
  EXPECT_EQ(Follow(*behind, 3), Range(1, 3)) << "and has a page of the history now";
  const auto alive =
      std::count_if(all.begin(), all.end(), [](const auto& e) { return !e.expired(); });
  EXPECT_LE(alive, 8 + 1) << "the tail, and what is being written";
  EXPECT_EQ(Follow(*stalled, 5), Range(2, 6)) << "nothing is lost to it";
}

}  // namespace
}  // namespace ipp::events
