// Messages that gRPC may keep back for the next one: none of them stays behind, none is skipped.

#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "tests/rpc/stream_bed.h"

namespace ipp::rpc {
namespace {

using namespace fixtures;  // NOLINT: the words of these tests

class StreamLookAhead : public StreamBed {
 protected:
  // Events and the goodbye's position at the end, of a feed that is read to its end.
  struct Rest {
    std::vector<int64_t> events;
    int64_t goodbye = -1;
  };
  Rest ReadToEnd(EventFeed& feed) {
    Rest rest;
    while (const std::optional<EventFeed::Message> message = feed.Next()) {
      if (message->has_event()) rest.events.push_back(PositionOf(message->event().cursor()));
      if (message->has_goodbye()) rest.goodbye = PositionOf(message->goodbye().cursor());
    }
    return rest;
  }
};

// The clock stands still: no heartbeat pushes out what is kept back.
TEST_F(StreamLookAhead, LeavesNoEventBehind) {
  for (const int count : {1, 2, 5, 6, 13, 300}) {
    SCOPED_TRACE(count);
    const int64_t before = store_.bounds().latest;
    Append(count);
    if (server_ == nullptr) Open();
    EventFeed feed(channel_, After(before));
    EXPECT_EQ(Positions(feed, count), Range(before + 1, before + count));
    Append(3);
    EXPECT_EQ(Positions(feed, 3), Range(before + count + 1, before + count + 3));
  }
}

TEST_F(StreamLookAhead, LeavesNoEventBehindBeforeThoseThatDoNotMatch) {
  for (int i = 0; i < 20; ++i) {
    Append(2, "mine");
    Append(1 + i % 7, "other");
  }
  Open();
  EventFeed feed(channel_, std::string(kFromOldest) + " filter { session_ids: 'mine' }");
  for (int i = 0; i < 40; ++i) EXPECT_EQ(feed.NextEvent().session_id(), "mine");
}

TEST_F(StreamLookAhead, SendsWhatWasLookedAtBeforeTheGoodbye) {
  constexpr int kEvents = 400;
  Append(kEvents, "s1", 10'000);  // more than gRPC takes from a caller that does not read
  Open();
  EventFeed feed(channel_, kFromOldest);
  EXPECT_EQ(Positions(feed, 1), Range(1, 1));
  EventFeed idle(NewChannel(), kFromNow);
  std::thread drain([this] { server_->Drain(absl::Seconds(60)); });
  idle.End();  // every stream has been notified
  const Rest rest = ReadToEnd(feed);
  drain.join();
  ASSERT_FALSE(rest.events.empty());
  EXPECT_EQ(rest.events, Range(2, rest.events.back()));
  EXPECT_EQ(rest.goodbye, rest.events.back());
}

TEST_F(StreamLookAhead, EndsWithItsCaller) {
  Append(400, "s1", 10'000);
  Open();
  for (int i = 0; i < 20; ++i) {
    EventFeed feed(channel_, kFromOldest);
    Positions(feed, i);
    feed.Cancel();
  }
  WaitUntil([this] { return Subscribers() == 0; });
}

}  // namespace
}  // namespace ipp::rpc
