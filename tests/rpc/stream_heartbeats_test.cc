// Heartbeats on the wire: never ahead of an event, never missing, whatever the time of day.

#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/rpc/stream_bed.h"

namespace ipp::rpc {
namespace {

using namespace fixtures;  // NOLINT: the words of these tests

constexpr char kOfNobody[] = " filter { session_ids: 'nobody' }";

class StreamHeartbeats : public StreamBed {
 protected:
  // The position of the next heartbeat.
  int64_t Beat(const Collected& feed) {
    const size_t before = feed.count();
    AdvanceUntil([&] { return feed.count() > before; });
    const std::vector<Collected::Message> messages = feed.messages();
    if (messages.size() <= before) return -1;
    EXPECT_TRUE(messages[before].has_heartbeat()) << messages[before].ShortDebugString();
    return PositionOf(messages.back().heartbeat().cursor());
  }
  std::vector<int64_t> Events(const Collected& feed) {
    std::vector<int64_t> positions;
    for (const Collected::Message& message : feed.messages()) {
      if (message.has_event()) positions.push_back(PositionOf(message.event().cursor()));
    }
    return positions;
  }
};

// The meaning of etcd issue 15220: progress must not be reported ahead of an event that is to come.
TEST_F(StreamHeartbeats, AreNotAheadOfAnEventThatIsOnItsWay) {
  Append(5);
  Open();
  Collected feed(channel_, kFromNow);
  EXPECT_EQ(Beat(feed), 5);
  replica_.HoldReads();
  Append(2);
  WaitUntil([this] { return replica_.waiting_reads() > 0; });
  EXPECT_EQ(Beat(feed), 5) << "the log is at seven, the stream is not";
  replica_.ReleaseReads();
  WaitUntil([&] { return Events(feed).size() == 2; });
  EXPECT_EQ(Beat(feed), 7);
}

// The meaning of etcd pull request 17566: a stream that begins at the head, and whose filter lets
// nothing through, gets its heartbeats too.
TEST_F(StreamHeartbeats, ComeRightAfterAResumeAtTheHead) {
  Append(20);
  Open();
  Collected feed(channel_, After(20) + kOfNobody);
  EXPECT_EQ(Beat(feed), 20);
  Append(3);
  AdvanceUntil([&] { return Beat(feed) == 23; });
  Collected again(channel_, After(23) + kOfNobody);
  EXPECT_EQ(Beat(again), 23);
}

TEST_F(StreamHeartbeats, ComeDuringCatchUpAndAreNotAheadOfThePage) {
  Append(40);
  Append(1, "wanted");
  Open();
  replica_.HoldReads();
  std::unique_ptr<Collected> feed;
  std::thread subscriber([&] {
    feed = std::make_unique<Collected>(channel_, After(0) + " filter { session_ids: 'wanted' }");
  });
  subscriber.join();
  WaitUntil([this] { return replica_.waiting_reads() > 0; });
  EXPECT_EQ(Beat(*feed), 0);
  WaitUntil([this] { return replica_.waiting_reads() > 0; });
  EXPECT_EQ(Beat(*feed), 0) << "nothing has come";
  replica_.ReleaseReads();
  WaitUntil([&] { return Events(*feed).size() == 1; });
  EXPECT_EQ(Events(*feed), Range(41, 41));
}

// The meaning of etcd pull request 20229: progress behind the beginning, then events before it.
TEST_F(StreamHeartbeats, OfAStreamAheadOfTheTailStayWhereItBegan) {
  Append(5);
  replica_.HoldBounds();
  replica_.HoldNews();
  Open();
  Append(5);
  Collected feed(channel_, After(8));
  EXPECT_EQ(Beat(feed), 8);
  replica_.Tell();
  WaitUntil([&] { return Events(feed).size() == 2; });
  EXPECT_EQ(Events(feed), Range(9, 10));
}

TEST_F(StreamHeartbeats, DoNotPileUpBehindAReaderThatDoesNotRead) {
  Open();
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  EventFeed slow(NewChannel(arguments), kFromNow);
  WaitUntil([this] { return Sent() == 1; });
  Append(1, "s1", 250'000);
  WaitUntil([this] { return Sent() == 2; });  // it has left, but not arrived
  scheduler_.Advance(absl::Minutes(10));
  EXPECT_EQ(Sent(), 2);
  EXPECT_EQ(slow.Next()->message_case(), EventFeed::Message::kEvent);
  AdvanceUntil([this] { return Sent() == 3; });
  const auto heartbeat = slow.Next();
  ASSERT_TRUE(heartbeat && heartbeat->has_heartbeat());
  EXPECT_EQ(PositionOf(heartbeat->heartbeat().cursor()), 1);
}

TEST_F(StreamHeartbeats, ComeAsAskedWhateverTheTimeIsSetTo) {
  options_.max_stream_age = absl::Hours(1);
  options_.max_write_stall = absl::Minutes(20);
  Open();
  Collected feed(channel_, kFromNow);
  Beat(feed);
  // An operator, or a machine that wakes up.
  for (const absl::Duration off : {absl::Hours(24 * 3650), -absl::Hours(24 * 3650)}) {
    // To a moment at which one has just left: it is counted on this thread.
    const double before = Sent();
    AdvanceUntil([&] { return Sent() > before; });
    const double sent = Sent();
    clock_.SetWall(clock_.Now() + off);
    scheduler_.Advance(absl::Seconds(5));
    EXPECT_EQ(Sent(), sent) << "too early";
    EXPECT_EQ(Beat(feed), 0);
  }
  EXPECT_FALSE(feed.ended());
  clock_.SetWall(clock_.Now() - absl::Hours(24 * 365));
  Append(1);
  WaitUntil([&] { return Events(feed).size() == 1; });
}

TEST_F(StreamHeartbeats, AreCursorsThatContinueWithExactlyWhatWasNotDelivered) {
  for (const int seed : {1, 2, 3, 4, 5, 6}) {
    SCOPED_TRACE(seed);
    std::mt19937 random(static_cast<std::mt19937::result_type>(seed));
    const auto pick = [&](int n) { return std::uniform_int_distribution<int>(0, n - 1)(random); };
    std::vector<std::string> sessions;  // by position, from 1
    const auto append = [&](int count) {
      while (count-- > 0) {
        sessions.push_back("s" + std::to_string(pick(4)));
        Append(1, sessions.back());
      }
    };
    if (hub_ == nullptr) {
      append(pick(30));
      Open();
    }
    const int64_t first = store_.bounds().latest - static_cast<int64_t>(sessions.size());
    std::set<std::string> wanted;
    std::string filter = " filter {";
    for (int i = pick(3); i >= 0; --i) {
      const std::string session = "s" + std::to_string(pick(5));
      wanted.insert(session);
      filter += " session_ids: '" + session + "'";
    }
    filter += "}";
    const auto matching_after = [&](int64_t after) {
      std::vector<int64_t> positions;
      for (int64_t p = after + 1; p <= first + static_cast<int64_t>(sessions.size()); ++p) {
        if (wanted.contains(sessions[static_cast<size_t>(p - first - 1)])) positions.push_back(p);
      }
      return positions;
    };
    // The stream is read while all this goes on.
    Collected feed(channel_, After(first) + filter);
    for (int step = 0; step < 60; ++step) {
      switch (pick(4)) {
        case 0:
          append(1 + pick(8));
          break;
        case 1:
          replica_.HoldReads();
          break;
        case 2:
          replica_.ReleaseReads();
          break;
        default:
          scheduler_.Advance(absl::Seconds(pick(21)));
      }
    }
    replica_.ReleaseReads();
    const std::vector<int64_t> expected = matching_after(first);
    WaitUntil([&] { return Events(feed).size() >= expected.size(); });
    ASSERT_EQ(Events(feed), expected);
    // Each place that the stream named, each once.
    int64_t last = first;
    std::set<std::string> tried;
    size_t delivered = 0;
    for (const Collected::Message& message : feed.messages()) {
      const int64_t position = PositionOf(CursorOf(message));
      ASSERT_GE(position, last);
      last = position;
      if (message.has_event()) ++delivered;
      ASSERT_EQ(matching_after(position).size(), expected.size() - delivered)
          << "a cursor that is ahead of an event, or behind one";
      if (!tried.insert(CursorOf(message)).second) continue;
      const std::vector<int64_t> rest(expected.begin() + static_cast<std::ptrdiff_t>(delivered),
                                      expected.end());
      EventFeed resumed(channel_, "after_cursor: '" + CursorOf(message) + "'" + filter);
      ASSERT_EQ(Positions(resumed, static_cast<int>(rest.size())), rest) << "after " << position;
    }
  }
  for (const char* name : {"gaps", "duplicates", "order_violations"}) {
    EXPECT_EQ(Counted(absl::StrCat("ipp_events_", name, "_total")), 0) << name;
  }
}

}  // namespace
}  // namespace ipp::rpc
