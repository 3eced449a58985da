#include "server/events/event_stream.h"

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "server/base/error.h"
#include "tests/events/hub_bed.h"

namespace ipp::events {
namespace {

using namespace fixtures;  // NOLINT: the words of these tests
using testing::ElementsAre;
using testing::IsEmpty;

constexpr absl::Duration kBeat = absl::Seconds(10);
constexpr absl::Duration kStall = absl::Seconds(30);
constexpr absl::Duration kAge = absl::Hours(1);

// A stream whose transport is the test: what is sent is a word each, and Written() is the test's.
class FakeStream final : public EventStream {
 public:
  FakeStream(StreamRegistry* registry, Clock* clock)
      : EventStream(registry, clock, {.max_age = kAge, .max_write_stall = kStall}) {
    set_heartbeat_interval(kBeat);
  }

  using EventStream::Admit;
  using EventStream::CallerLeft;
  using EventStream::Done;
  using EventStream::Fail;
  using EventStream::Open;
  using EventStream::set_early_heartbeats;
  using EventStream::StillWanted;
  using EventStream::Written;

  static StreamMessage Word(const std::string& word) {
    v1::SubscribeSessionEventsResponse message;
    message.mutable_goodbye()->set_reason(word);
    return StreamMessage(message);
  }

  std::vector<std::string> sent() const {
    MutexLock lock(&mutex_);
    return sent_;
  }
  bool in_flight() const {
    MutexLock lock(&mutex_);
    return in_flight_;
  }
  std::optional<absl::Status> end() const {
    MutexLock lock(&mutex_);
    return end_;
  }
  int cut_off() const {
    MutexLock lock(&mutex_);
    return cut_off_;
  }
  bool unwanted() const { return unwanted_; }
  // The messages that could have been held back for the next one.
  std::vector<std::string> held_back() const {
    MutexLock lock(&mutex_);
    return held_back_;
  }
  void WaitUntil(const std::function<bool()>& condition) const {
    while (!condition()) std::this_thread::yield();
  }
  void WaitForWrite() const {
    WaitUntil([this] { return in_flight(); });
  }
  // The caller takes the message in flight.
  void Take(bool ok = true) {
    WaitForWrite();
    {
      MutexLock lock(&mutex_);
      in_flight_ = false;
    }
    Written(ok);
  }
  // Everything that comes next is taken at once, on the thread that sends it.
  void TakeAtOnce() { at_once_ = true; }

 private:
  void StartSending(StreamMessage message, bool more) override {
    v1::SubscribeSessionEventsResponse parsed;
    ASSERT_TRUE(parsed.ParseFromString(std::string(message.bytes())));
    const std::string word = parsed.has_event()       ? parsed.event().session_id()
                             : parsed.has_heartbeat() ? "beat"
                                                      : parsed.goodbye().reason();
    {
      MutexLock lock(&mutex_);
      EXPECT_FALSE(in_flight_) << "two writes at a time";
      EXPECT_FALSE(end_) << "a write after the end";
      sent_.push_back(word);
      if (more) held_back_.push_back(word);
      in_flight_ = !at_once_;
    }
    if (at_once_) Written(true);
  }
  void End(const absl::Status& status) override {
    MutexLock lock(&mutex_);
    EXPECT_FALSE(in_flight_) << "an end while a write is in flight";
    EXPECT_FALSE(end_) << "a second end";
    end_ = status;
  }
  void CutOff(absl::Duration unread_for, int64_t) override {
    EXPECT_GE(unread_for, kStall);
    MutexLock lock(&mutex_);
    ++cut_off_;
  }
  bool ForEvent(EventPtr event, StreamMessage* out, bool* last) override {
    if (event->row.session_id == "skip") return false;
    *last = event->row.session_id == "last";
    *out = StreamMessage(std::move(event));
    return true;
  }
  void Heartbeat(const LogPlace&, StreamMessage* out) override { EarlyHeartbeat(out); }
  void EarlyHeartbeat(StreamMessage* out) override {
    v1::SubscribeSessionEventsResponse message;
    message.mutable_heartbeat();
    *out = StreamMessage(message);
  }
  bool Goodbye(const LogPlace&, absl::string_view reason, StreamMessage* out) override {
    *out = Word(absl::StrCat("goodbye: ", reason));
    return true;
  }
  void OnUnwanted() override { unwanted_ = true; }

  std::atomic<bool> at_once_ = false;
  std::atomic<bool> unwanted_ = false;
  mutable Mutex mutex_;
  std::vector<std::string> sent_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> held_back_ ABSL_GUARDED_BY(mutex_);
  bool in_flight_ ABSL_GUARDED_BY(mutex_) = false;
  int cut_off_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

class EventStreamTest : public HubBed {
 protected:
  EventStreamTest() { HubBed::Open(); }
  ~EventStreamTest() override { stream_->Done(); }

  // `sessions`: an event each.
  void Say(const std::vector<std::string>& sessions) {
    store::Transaction transaction;
    transaction.decide = [&sessions](const store::Snapshot&) {
      store::Writes writes;
      for (const std::string& session : sessions) {
        store::NewEvent& event = writes.events.emplace_back();
        event.event.set_event_id("kevt_x");
        event.event.set_type(v1::SESSION_EVENT_TYPE_ACTIVATED);
        event.event.set_merchant_id("PM1");
        event.event.set_session_id(session);
      }
      return writes;
    };
    ASSERT_TRUE(store::contract::Commit(store_, std::move(transaction)).ok());
  }
  void Begin(int64_t after = 0) {
    ASSERT_TRUE(stream_->Admit("").ok());
    stream_->Open(hub_->Subscribe(Everything(), after), FakeStream::Word("first"));
  }
  std::string Reason() const {
    return stream_->end() ? GetErrorDetail(*stream_->end()).reason : "none";
  }

  FakeScheduler scheduler_{&clock_};
  StreamRegistry registry_{{.streams = 10, .per_caller = 10}, &clock_, &scheduler_, &metrics_};
  std::shared_ptr<FakeStream> stream_ = std::make_shared<FakeStream>(&registry_, &clock_);
};

TEST_F(EventStreamTest, HasOneWriteInFlight) {
  Say({"a", "b", "c"});
  Begin();
  EXPECT_THAT(stream_->sent(), ElementsAre("first"));
  for (int i = 0; i < 4; ++i) stream_->Take();
  EXPECT_THAT(stream_->sent(), ElementsAre("first", "a", "b", "c"));
  EXPECT_FALSE(stream_->in_flight());
  Say({"d"});
  stream_->Take();
  EXPECT_THAT(stream_->sent(), ElementsAre("first", "a", "b", "c", "d"));
  EXPECT_FALSE(stream_->end());
}

TEST_F(EventStreamTest, HoldsNothingBackWithoutAMessageThatFollows) {
  Say({"a", "skip", "b", "skip"});
  Begin();
  stream_->TakeAtOnce();
  stream_->Take();
  stream_->WaitUntil([&] { return stream_->sent().size() == 3; });
  EXPECT_THAT(stream_->held_back(), testing::Not(testing::Contains("b")));
}

TEST_F(EventStreamTest, EndsWithOkAfterTheLastMessage) {
  Say({"a", "last", "never"});
  Begin();
  stream_->TakeAtOnce();
  stream_->Take();
  stream_->WaitUntil([&] { return stream_->end().has_value(); });
  EXPECT_TRUE(stream_->end()->ok());
  EXPECT_THAT(stream_->sent(), ElementsAre("first", "a", "last"));
}

TEST_F(EventStreamTest, SendsOneMessageAndEndsWithoutASubscription) {
  ASSERT_TRUE(stream_->Admit("").ok());
  stream_->Open(nullptr, FakeStream::Word("first"));
  EXPECT_FALSE(stream_->end());
  stream_->Take();
  EXPECT_TRUE(stream_->end()->ok());
}

TEST_F(EventStreamTest, BeatsWhenThereIsNothingToSay) {
  Begin();
  stream_->Take();
  scheduler_.Advance(kBeat - absl::Seconds(1));
  EXPECT_FALSE(stream_->in_flight());
  scheduler_.Advance(absl::Seconds(2));
  stream_->Take();
  EXPECT_THAT(stream_->sent(), ElementsAre("first", "beat"));
  // The event that was waited for before the heartbeat is still taken.
  Say({"a"});
  stream_->Take();
  EXPECT_THAT(stream_->sent(), ElementsAre("first", "beat", "a"));
}

TEST_F(EventStreamTest, BeatsBeforeItsStartWhenItIsAskedTo) {
  stream_->set_early_heartbeats();
  ASSERT_TRUE(stream_->Admit("").ok());
  scheduler_.Advance(kBeat + absl::Seconds(1));
  EXPECT_THAT(stream_->sent(), ElementsAre("beat"));
  // The start comes while the heartbeat is in flight.
  stream_->Open(hub_->Subscribe(Everything(), 0), FakeStream::Word("first"));
  EXPECT_THAT(stream_->sent(), ElementsAre("beat"));
  stream_->Take();
  stream_->Take();
  EXPECT_THAT(stream_->sent(), ElementsAre("beat", "first"));
}

TEST_F(EventStreamTest, FailsAfterTheEarlyHeartbeatThatIsInFlight) {
  stream_->set_early_heartbeats();
  ASSERT_TRUE(stream_->Admit("").ok());
  scheduler_.Advance(kBeat + absl::Seconds(1));
  stream_->Fail(absl::NotFoundError("none"));
  EXPECT_FALSE(stream_->end());
  stream_->Take();
  EXPECT_EQ(stream_->end()->message(), "none");
}

TEST_F(EventStreamTest, SaysGoodbyeWhenItsAgeIsReached) {
  Begin();
  stream_->TakeAtOnce();
  stream_->Take();
  scheduler_.Advance(kAge * 1.11);
  EXPECT_EQ(stream_->sent().back(), "goodbye: stream_age");
  EXPECT_EQ(Reason(), "STREAM_AGE");
}

TEST_F(EventStreamTest, EndsAtADrainOnceTheWriteHasEnded) {
  Begin();
  registry_.Drain();
  EXPECT_FALSE(stream_->end());
  EXPECT_TRUE(absl::IsUnavailable(stream_->StillWanted()));
  stream_->Take();
  stream_->Take();
  EXPECT_EQ(stream_->sent().back(), "goodbye: draining");
  EXPECT_EQ(Reason(), "DRAINING");
  auto late = std::make_shared<FakeStream>(&registry_, &clock_);
  EXPECT_EQ(GetErrorDetail(late->Admit("")).reason, "DRAINING");
}

TEST_F(EventStreamTest, TellsASlowStartThatItIsNotWanted) {
  ASSERT_TRUE(stream_->Admit("").ok());
  EXPECT_TRUE(stream_->StillWanted().ok());
  EXPECT_FALSE(stream_->unwanted());
  stream_->CallerLeft();
  EXPECT_TRUE(stream_->unwanted());
  const absl::Status unwanted = stream_->StillWanted();
  EXPECT_TRUE(absl::IsCancelled(unwanted));
  EXPECT_FALSE(stream_->end());
  stream_->Fail(unwanted);
  EXPECT_TRUE(absl::IsCancelled(*stream_->end()));
}

TEST_F(EventStreamTest, EndsWhenTheCallerLeavesWhileItWaits) {
  Begin();
  stream_->Take();
  EXPECT_FALSE(stream_->end());
  stream_->CallerLeft();
  EXPECT_TRUE(absl::IsCancelled(*stream_->end()));
  Say({"a"});
  AppendAndCatchUp(*hub_, store_);
  EXPECT_THAT(stream_->sent(), ElementsAre("first"));
}

TEST_F(EventStreamTest, EndsWhenTheCallerLeavesDuringAWrite) {
  Begin();
  stream_->CallerLeft();
  EXPECT_FALSE(stream_->end());
  stream_->Take(false);
  EXPECT_TRUE(absl::IsCancelled(*stream_->end()));
}

TEST_F(EventStreamTest, CutsOffACallerThatDoesNotRead) {
  Begin();
  scheduler_.Advance(kStall - absl::Seconds(1));
  EXPECT_EQ(stream_->cut_off(), 0);
  scheduler_.Advance(absl::Seconds(2));
  EXPECT_EQ(stream_->cut_off(), 1);
  scheduler_.Advance(kStall);
  EXPECT_EQ(stream_->cut_off(), 1);
  EXPECT_FALSE(stream_->end());
  stream_->CallerLeft();
  stream_->Take(false);
  EXPECT_TRUE(absl::IsCancelled(*stream_->end()));
}

TEST_F(EventStreamTest, EndsWithTheErrorOfItsSubscription) {
  Append(store_, 20);  // more than the hub keeps, so that the stream reads a page
  AppendAndCatchUp(*hub_, store_);
  ReadsFail();
  Begin();
  stream_->TakeAtOnce();
  stream_->Take();
  stream_->WaitUntil([&] { return stream_->end().has_value(); });
  EXPECT_FALSE(stream_->end()->ok());
  ReadsWork();
}

// Events, ticks, the end of writes, a cancellation and a drain, each on a thread of its own: one
// write at a time and one end (FakeStream checks it), no event twice and none skipped.
TEST_F(EventStreamTest, StaysInOrderWhateverComesAtOnce) {
  for (int round = 0; round < 30; ++round) {
    const int64_t before = store_.bounds().latest;
    auto stream = std::make_shared<FakeStream>(&registry_, &clock_);
    ASSERT_TRUE(stream->Admit("").ok());
    stream->TakeAtOnce();
    std::atomic<bool> over = false;
    std::thread appends([&] {
      for (int i = 0; i < 20; ++i) Say({absl::StrCat(i), "skip"});
    });
    std::thread ticks([&] {
      while (!over) scheduler_.Advance(absl::Seconds(3));
    });
    std::thread ends([&] {
      stream->WaitUntil([&] { return stream->sent().size() >= 10 || stream->end(); });
      round % 2 == 0 ? stream->CallerLeft() : stream->Close("test", absl::UnavailableError("test"));
    });
    stream->Open(hub_->Subscribe(Everything(), before), FakeStream::Word("first"));
    stream->WaitUntil([&] { return stream->end().has_value(); });
    over = true;
    appends.join();
    ticks.join();
    ends.join();
    stream->Done();
    int next = 0;
    for (const std::string& word : stream->sent()) {
      if (word == absl::StrCat(next)) ++next;
      EXPECT_THAT(word, testing::AnyOf("first", "beat", absl::StrCat(next - 1), "goodbye: test",
                                       "goodbye: stream_age"));
    }
  }
  stream_->Fail(absl::CancelledError());
}

}  // namespace
}  // namespace ipp::events
