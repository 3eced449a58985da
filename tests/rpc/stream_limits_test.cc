// What streams may cost: how many there are, how old they get, and readers that do not read.

#include <openssl/sha.h>

#include <algorithm>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "tests/rpc/stream_bed.h"

namespace ipp::rpc {
namespace {

using namespace fixtures;  // NOLINT: the words of these tests
using grpc::StatusCode;

std::string Sha256Hex(const std::string& text) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest), sizeof(digest)));
}

CallOptions As(const std::string& caller) {
  return {.metadata = {{"authorization", "Bearer token-of-" + caller}}};
}

class StreamLimits : public StreamBed {
 protected:
  void AddCaller(const std::string& name) {
    caller_entries_.push_back({.name = name,
                               .token_sha256 =
                                   [name] {
                                     return std::make_shared<const std::vector<std::string>>(
                                         1, Sha256Hex("token-of-" + name));
                                   },
                               .merchants = {"PM1"},
                               .permissions = {"*"}});
  }
  // Reads nothing of what is larger than a few kilobytes until it is asked to.
  std::unique_ptr<EventFeed> SlowReader() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 16 * 1024);
    return std::make_unique<EventFeed>(NewChannel(arguments), kFromNow);
  }
};

TEST_F(StreamLimits, OfOneCallerLeaveTheOthersAlone) {
  AddCaller("shop");
  AddCaller("till");
  options_.max_subscribers_per_caller = 2;
  Open();
  EventFeed first(channel_, kFromNow, As("shop"));
  {
    EventFeed second(channel_, kFromNow, As("shop"));
    EventFeed third(channel_, kFromNow, As("shop"));
    const RpcEnd end = third.End();
    EXPECT_TRUE(Refused(end, StatusCode::RESOURCE_EXHAUSTED, "TOO_MANY_SUBSCRIBERS"));
    EXPECT_EQ(end.info("scope"), "caller");
    EXPECT_EQ(end.info("limit"), "2");
    EXPECT_EQ(end.info("retry_safe"), "true");
    EXPECT_EQ(end.detail.retry_after, absl::Seconds(5));
    EventFeed of_another(channel_, kFromNow, As("till"));
    EXPECT_NE(of_another.started().cursor(), "");
  }
  // Their places are free again once they have ended.
  WaitUntil([this] { return Subscribers() == 1; });
  std::unique_ptr<EventFeed> fourth;
  WaitUntil([&] {
    fourth = std::make_unique<EventFeed>(channel_, kFromNow, As("shop"));
    return !fourth->started().cursor().empty();
  });
}

TEST_F(StreamLimits, OfTheGatewayComeFirst) {
  AddCaller("shop");
  AddCaller("till");
  options_.max_subscribers = 2;
  options_.max_subscribers_per_caller = 2;
  Open();
  EventFeed first(channel_, kFromNow, As("shop"));
  EventFeed second(channel_, kFromNow, As("till"));
  EventFeed third(channel_, kFromNow, As("shop"));
  const RpcEnd end = third.End();
  EXPECT_TRUE(Refused(end, StatusCode::RESOURCE_EXHAUSTED, "TOO_MANY_SUBSCRIBERS"));
  EXPECT_EQ(end.info("scope"), "gateway");
  EXPECT_EQ(end.detail.retry_after, absl::Seconds(1));
}

TEST_F(StreamLimits, OfOneCallerDoNotCountWhereNobodyIsKnown) {
  options_.max_subscribers_per_caller = 1;
  Open();
  EventFeed first(channel_, kFromNow);
  EventFeed second(channel_, kFromNow);
  EXPECT_NE(second.started().cursor(), "");
}

// A refused stream has no place to free: it must not take another one's.
TEST_F(StreamLimits, AreNotUsedUpByRefusedStreams) {
  AddCaller("shop");
  options_.max_subscribers_per_caller = 1;
  Open();
  EventFeed first(channel_, kFromNow, As("shop"));
  for (int i = 0; i < 5; ++i) {
    EventFeed refused(channel_, kFromNow, As("shop"));
    EXPECT_EQ(refused.End().code, StatusCode::RESOURCE_EXHAUSTED);
    EventFeed bad(channel_, "", As("shop"));
    EXPECT_EQ(bad.End().code, StatusCode::INVALID_ARGUMENT);
  }
  Append(1);
  EXPECT_EQ(Positions(first, 1), Range(1, 1));
}

// ---- Readers that do not read. ----

TEST_F(StreamLimits, EndAReaderThatDoesNotReadAndKeepItsPlaceInTheLog) {
  options_.max_write_stall = absl::Seconds(30);
  Open();
  const auto slow = SlowReader();
  WaitUntil([this] { return Sent() == 1; });
  Append(1, "s1", 250'000);
  WaitUntil([this] { return Sent() == 2; });
  Append(2);
  scheduler_.Advance(absl::Seconds(29));
  EXPECT_EQ(Counted("ipp_events_slow_readers_total"), 0);
  EXPECT_EQ(Subscribers(), 1);
  clock_.SetWall(clock_.Now() + absl::Hours(24));  // no time has passed
  scheduler_.Advance(absl::Milliseconds(600));
  EXPECT_EQ(Counted("ipp_events_slow_readers_total"), 0);
  scheduler_.Advance(absl::Seconds(1));
  EXPECT_EQ(Counted("ipp_events_slow_readers_total"), 1);
  EXPECT_EQ(slow->End().code, StatusCode::CANCELLED);
  WaitUntil([this] { return Subscribers() == 0; });
  EventFeed again(channel_, "after_cursor: '" + slow->started().cursor() + "'");
  EXPECT_EQ(Positions(again, 3), Range(1, 3));
}

TEST_F(StreamLimits, KeepNothingForAReaderThatDoesNotRead) {
  constexpr int kEvents = 10'000;
  Open();
  const auto slow = SlowReader();
  WaitUntil([this] { return Sent() == 1; });
  const auto filter = events::EventFilter::Create({}, {"PM1"});
  auto quick = hub_->Subscribe(*filter, 0);
  std::vector<std::weak_ptr<const events::LogEvent>> all;
  const auto follow = [&](int count) {
    while (count-- > 0) {
      auto promise = std::make_shared<std::promise<events::EventPtr>>();
      auto answer = promise->get_future();
      events::EventPtr event =
          quick->Next([promise](auto later) { promise->set_value(*std::move(later)); });
      all.push_back(event != nullptr ? event : answer.get());
    }
  };
  Append(1, "s1", 250'000);
  follow(1);
  WaitUntil([this] { return Sent() == 2; });
  for (int i = 0; i < kEvents; i += 500) {
    Append(500);
    follow(500);
  }
  const auto alive =
      std::count_if(all.begin(), all.end(), [](const auto& event) { return !event.expired(); });
  EXPECT_LE(alive, 8 + 1) << "the tail, which is for all, and the message that is being written";
  EXPECT_EQ(Sent(), 2);
  EXPECT_EQ(Positions(*slow, kEvents + 1), Range(1, kEvents + 1)) << "and nothing is lost to it";
}

// ---- Age. ----

TEST_F(StreamLimits, EndStreamsAtTheirAgeButNotTogether) {
  constexpr int kStreams = 40;
  options_.max_stream_age = absl::Minutes(30);
  options_.heartbeat_interval = absl::Hours(10);
  Open();
  std::vector<std::unique_ptr<Collected>> feeds;
  for (int i = 0; i < kStreams; ++i) {
    feeds.push_back(std::make_unique<Collected>(channel_, kFromNow));
  }
  const auto ended = [&] {
    return std::count_if(feeds.begin(), feeds.end(), [](const auto& f) { return f->ended(); });
  };
  clock_.SetWall(clock_.Now() + absl::Hours(24));
  scheduler_.Advance(absl::Minutes(26));
  EXPECT_EQ(ended(), 0);
  // One after another, over a tenth to either side: at no moment more than a few.
  double most = 0;
  double before = Subscribers();
  for (int i = 0; i < 8; ++i) {
    scheduler_.Advance(absl::Minutes(1));
    // A stream that says goodbye ends as soon as that is written.
    WaitUntil([&] { return Subscribers() + (Sent() - kStreams) == kStreams; });
    most = std::max(most, before - Subscribers());
    before = Subscribers();
  }
  WaitUntil([&] { return ended() == kStreams; });
  EXPECT_LT(most, kStreams * 3 / 4);
  for (const auto& feed : feeds) {
    ASSERT_EQ(feed->count(), 1u);
    EXPECT_EQ(feed->messages()[0].goodbye().reason(), "stream_age");
    EXPECT_EQ(feed->messages()[0].goodbye().cursor(), feed->started().cursor());
    EXPECT_TRUE(Refused(feed->End(), StatusCode::UNAVAILABLE, "STREAM_AGE"));
  }
}

// A busy stream is hardly ever seen without a write in flight.
TEST_F(StreamLimits, EndAStreamAtItsAgeAlsoWhileItWrites) {
  options_.max_stream_age = absl::Minutes(30);
  options_.heartbeat_interval = absl::Hours(10);
  Open();
  const auto slow = SlowReader();
  WaitUntil([this] { return Sent() == 1; });
  Append(1, "s1", 250'000);
  WaitUntil([this] { return Sent() == 2; });
  Append(1000);
  scheduler_.Advance(absl::Minutes(40));
  // What it has in hand still comes, then the goodbye, and not all that there is.
  int64_t last = 0;
  std::optional<EventFeed::Message> message = slow->Next();
  for (; message && message->has_event(); message = slow->Next()) {
    EXPECT_EQ(PositionOf(message->event().cursor()), ++last);
  }
  ASSERT_TRUE(message && message->has_goodbye());
  EXPECT_EQ(message->goodbye().reason(), "stream_age");
  EXPECT_EQ(PositionOf(message->goodbye().cursor()), last);
  EXPECT_LT(last, 1001);
  EXPECT_TRUE(Refused(slow->End(), StatusCode::UNAVAILABLE, "STREAM_AGE"));
}

// ---- Drain. ----

TEST_F(StreamLimits, SayGoodbyeToEveryStreamOnDrainAndTakeNoMore) {
  Append(3);
  Open();
  std::vector<std::unique_ptr<Collected>> feeds;
  for (const char* request : {kFromNow, kFromOldest}) {
    feeds.push_back(std::make_unique<Collected>(channel_, request));
  }
  WaitUntil([&] { return feeds[1]->count() == 3; });
  server_->Drain(absl::Seconds(30));
  for (const auto& feed : feeds) {
    EXPECT_TRUE(Refused(feed->End(), StatusCode::UNAVAILABLE, "DRAINING"));
    const EventFeed::Message last = feed->messages().back();
    EXPECT_EQ(last.goodbye().reason(), "draining");
    EXPECT_EQ(PositionOf(last.goodbye().cursor()), 3);
  }
  EXPECT_EQ(Subscribers(), 0);
}

}  // namespace
}  // namespace ipp::rpc
