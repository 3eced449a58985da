// Where streams and pages begin: cursors of other replicas, and retention that is on the way.

#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "server/base/protobuf_time.h"
#include "server/rpc/page_token.h"
#include "tests/rpc/stream_bed.h"
#include "tests/support/text_of.h"

namespace ipp::rpc {
namespace {

using namespace fixtures;  // NOLINT: the words of these tests
using grpc::StatusCode;
using List = v1::ListSessionEventsRequest;

constexpr char kSkip[] = " on_cursor_expired: CURSOR_EXPIRED_POLICY_SKIP_TO_OLDEST";

class StreamStarts : public StreamBed {
 protected:
  // Subscribes while the reads of its start wait, does `meanwhile`, and lets them go.
  std::unique_ptr<EventFeed> StartWhile(const std::string& request,
                                        const std::function<void()>& meanwhile) {
    replica_.HoldReads();
    std::unique_ptr<EventFeed> feed;
    std::thread subscriber([&] { feed = std::make_unique<EventFeed>(channel_, request); });
    WaitUntil([&] { return replica_.waiting_reads() > 0; });
    meanwhile();
    replica_.ReleaseReads();
    subscriber.join();
    return feed;
  }
};

// ---- Among replicas. ----

TEST_F(StreamStarts, ContinueAfterACursorThatAnotherReplicaGaveOut) {
  Append(5);
  replica_.HoldBounds();
  replica_.HoldNews();
  Open();
  Append(5);  // through another replica
  EventFeed feed(channel_, After(8));
  EXPECT_EQ(feed.started().cursor(), Cursor(8));
  EventFeed at_the_end(channel_, After(10));
  EXPECT_EQ(at_the_end.started().cursor(), Cursor(10));
  replica_.Tell();
  EXPECT_EQ(Positions(feed, 2), Range(9, 10));
  Append(1);
  EXPECT_EQ(Positions(feed, 1), Range(11, 11));
  EXPECT_EQ(Positions(at_the_end, 1), Range(11, 11));
}

TEST_F(StreamStarts, RefuseACursorOnlyAfterAskingTheLog) {
  Append(5);
  replica_.HoldBounds();
  Open();
  Append(5);
  EXPECT_EQ(replica_.refreshes(), 0);
  EventFeed beyond(channel_, After(11));
  EXPECT_TRUE(Refused(beyond.End(), StatusCode::INVALID_ARGUMENT, "CURSOR_FOREIGN"));
  EXPECT_EQ(replica_.refreshes(), 1);
  EventFeed other_log(channel_,
                      "after_cursor: '" + events::EncodeCursor("ffffffffffffffff", {3}) + "'");
  EXPECT_TRUE(Refused(other_log.End(), StatusCode::INVALID_ARGUMENT, "CURSOR_FOREIGN"));
  EXPECT_EQ(replica_.refreshes(), 1) << "another log is another log";
}

TEST_F(StreamStarts, SayUnavailableWhenTheLogCannotBeAsked) {
  Append(5);
  Open();
  replica_.FailRefresh(absl::UnavailableError("database at 10.0.0.7"));
  EventFeed feed(channel_, After(11));
  const RpcEnd end = feed.End();
  EXPECT_TRUE(Refused(end, StatusCode::UNAVAILABLE, "STORE_UNAVAILABLE"));
  EXPECT_EQ(end.message.find("10.0.0.7"), std::string::npos);
}

TEST_F(StreamStarts, TellOfAnExpiredCursorWithTheBoundsThatAreTrue) {
  Append(30);
  Open();
  replica_.HoldBounds();
  Append(10);
  store_.TrimBefore(21);  // another replica did both
  EventFeed feed(channel_, After(3));
  EXPECT_EQ(feed.started().cursor(), Cursor(3)) << "by the bounds, it is kept";
  const RpcEnd end = feed.End();
  EXPECT_TRUE(Refused(end, StatusCode::OUT_OF_RANGE, "CURSOR_EXPIRED"));
  EXPECT_EQ(end.info("oldest_cursor"), Cursor(20));
  EXPECT_EQ(end.info("latest_cursor"), Cursor(40));
}

// ---- Retention. ----

TEST_F(StreamStarts, FromOldestRacedByATrimBeginWithWhatIsKept) {
  Append(40);
  Open();
  const auto feed = StartWhile(kFromOldest, [this] { store_.TrimBefore(25); });
  EXPECT_EQ(feed->started().cursor(), Cursor(24));
  EXPECT_EQ(feed->started().oldest_cursor(), Cursor(24));
  EXPECT_FALSE(feed->started().skipped());
  EXPECT_EQ(Positions(*feed, 16), Range(25, 40));
}

TEST_F(StreamStarts, FromOldestRacedByATrimOfEverythingBeginAtTheEnd) {
  Append(40);
  Open();
  const auto feed = StartWhile(kFromOldest, [this] { store_.TrimBefore(41); });
  EXPECT_EQ(feed->started().cursor(), Cursor(40));
  Append(2);
  EXPECT_EQ(Positions(*feed, 2), Range(41, 42));
}

TEST_F(StreamStarts, FromATimeRacedByATrimBeginWithWhatIsKept) {
  Append(10);
  clock_.Advance(absl::Hours(1));
  v1::SubscribeSessionEventsRequest request;
  *request.mutable_start_time() = ToTimestamp(clock_.Now());
  Append(30);
  Open();
  const auto feed = StartWhile(TextOf(request), [this] { store_.TrimBefore(25); });
  EXPECT_EQ(feed->started().cursor(), Cursor(24));
  EXPECT_FALSE(feed->started().skipped());
  EXPECT_EQ(Positions(*feed, 16), Range(25, 40));
}

TEST_F(StreamStarts, ThatSkipSaySo) {
  Append(40);
  Open();
  store_.TrimBefore(10);
  EventFeed skips(channel_, After(3) + kSkip);
  EXPECT_EQ(skips.started().cursor(), Cursor(9));
  EXPECT_TRUE(skips.started().skipped());
  EXPECT_EQ(Positions(skips, 2), Range(10, 11));
  EventFeed needs_not(channel_, After(9) + kSkip);
  EXPECT_EQ(needs_not.started().cursor(), Cursor(9));
  EXPECT_FALSE(needs_not.started().skipped());
  EXPECT_EQ(Positions(needs_not, 2), Range(10, 11));
}

// Its cursor was good when it asked.
TEST_F(StreamStarts, ThatMaySkipRacedByATrimSkipAndSaySo) {
  Append(40);
  Open();
  const auto feed = StartWhile(After(3) + kSkip, [this] { store_.TrimBefore(25); });
  EXPECT_EQ(feed->started().cursor(), Cursor(24));
  EXPECT_TRUE(feed->started().skipped());
  EXPECT_EQ(Positions(*feed, 16), Range(25, 40));
}

TEST_F(StreamStarts, ThatSkipRacedByAnotherTrimSkipToWhatIsLeft) {
  Append(40);
  Open();
  store_.TrimBefore(10);
  const auto feed = StartWhile(After(3) + kSkip, [this] { store_.TrimBefore(25); });
  EXPECT_EQ(feed->started().cursor(), Cursor(24));
  EXPECT_TRUE(feed->started().skipped());
  EXPECT_EQ(Positions(*feed, 16), Range(25, 40));
}

TEST_F(StreamStarts, ThatSkipWithACursorOfAnotherReplicaStayWhereItIs) {
  Append(5);
  replica_.HoldBounds();
  Open();
  Append(5);
  EventFeed feed(channel_, After(8) + kSkip);
  EXPECT_EQ(feed.started().cursor(), Cursor(8));
  EXPECT_FALSE(feed.started().skipped());
  EventFeed beyond(channel_, After(11) + kSkip);
  EXPECT_TRUE(Refused(beyond.End(), StatusCode::INVALID_ARGUMENT, "CURSOR_FOREIGN"));
}

// The policy is for the start: later there is no answer left that could say what is skipped.
TEST_F(StreamStarts, ThatSkipAreEndedWhenRetentionOvertakesThemLater) {
  Append(40);
  Open();
  // Between its first page and the next one.
  replica_.Lies([this](int64_t after, auto*) {
    if (after == 0) store_.TrimBefore(25);
  });
  EventFeed feed(channel_, After(0) + kSkip);
  EXPECT_FALSE(feed.started().skipped());
  EXPECT_EQ(Positions(feed, 5), Range(1, 5));
  const RpcEnd end = feed.End();
  EXPECT_TRUE(Refused(end, StatusCode::OUT_OF_RANGE, "CURSOR_EXPIRED"));
  EXPECT_EQ(end.info("oldest_cursor"), Cursor(24));
  // And its next request gets it.
  EventFeed again(channel_, "after_cursor: '" + feed.cursor() + "'" + kSkip);
  EXPECT_TRUE(again.started().skipped());
  EXPECT_EQ(Positions(again, 1), Range(25, 25));
}

TEST_F(StreamStarts, ThatTheStoreCannotAnswerAreUnavailable) {
  Append(40);
  Open();
  store_.FailReads(absl::UnavailableError("disk"));
  EventFeed feed(channel_, kFromOldest);
  EXPECT_TRUE(Refused(feed.End(), StatusCode::UNAVAILABLE, "STORE_UNAVAILABLE"));
  EXPECT_EQ(Subscribers(), 0);
}

TEST_F(StreamStarts, ThatNobodyWantsAnyMoreEndAllTheSame) {
  Append(40);
  Open();
  replica_.HoldReads();
  std::thread gone([this] {
    EventFeed feed(channel_, kFromOldest, {.timeout = absl::Milliseconds(200)});
    EXPECT_EQ(feed.End().code, StatusCode::DEADLINE_EXCEEDED);
  });
  gone.join();
  replica_.ReleaseReads();
  WaitUntil([this] { return Subscribers() == 0; });
}

// ---- Pages. ----

class EventPages : public StreamBed {
 protected:
  Reply<v1::ListSessionEventsResponse> Page(const List& request) {
    return CallOver(channel_, &v1::SessionEventService::Stub::ListSessionEvents, request);
  }
  std::vector<int64_t> Listed(const v1::ListSessionEventsResponse& page) {
    std::vector<int64_t> positions;
    for (const v1::SessionEvent& event : page.events()) {
      positions.push_back(PositionOf(event.cursor()));
    }
    return positions;
  }
  // A token that continues after the position.
  std::string Token(const List& request, int64_t position) {
    return EncodePageToken(request, "anonymous/" + store_.log_id(), position);
  }
};

TEST_F(EventPages, GoOnThoughTheBoundsLag) {
  Append(5);
  replica_.HoldBounds();
  Open();
  Append(10);
  List request;
  request.set_page_size(5);
  std::vector<int64_t> listed;
  do {
    const auto page = Page(request);
    ASSERT_TRUE(Ok(page));
    for (const int64_t position : Listed(page.response)) listed.push_back(position);
    request.set_page_token(page.response.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(listed, Range(1, 15));
}

TEST_F(EventPages, ContinueAfterATokenThatAnotherReplicaGaveOut) {
  Append(5);
  replica_.HoldBounds();
  Open();
  Append(10);
  List request;
  request.set_page_token(Token(request, 12));
  const auto page = Page(request);
  ASSERT_TRUE(Ok(page));
  EXPECT_EQ(Listed(page.response), Range(13, 15));
}

TEST_F(EventPages, RefuseATokenOnlyAfterAskingTheLog) {
  Append(5);
  Open();
  List request;
  for (const int64_t position : {int64_t{6}, std::numeric_limits<int64_t>::max() - 1}) {
    request.set_page_token(Token(request, position));
    const auto page = Page(request);
    EXPECT_TRUE(Refused(page, StatusCode::INVALID_ARGUMENT, "CURSOR_FOREIGN"));
    EXPECT_THAT(page.fields(), testing::ElementsAre("page_token"));
  }
  EXPECT_EQ(replica_.refreshes(), 2);
  request.set_page_token(Token(request, std::numeric_limits<int64_t>::max()));
  EXPECT_TRUE(Refused(Page(request), StatusCode::INVALID_ARGUMENT, "INVALID_REQUEST"));
  request.set_page_token(EncodePageToken(request, "anonymous/ffffffffffffffff", 3));
  EXPECT_TRUE(Refused(Page(request), StatusCode::INVALID_ARGUMENT, "INVALID_REQUEST"))
      << "of another log";
}

TEST_F(EventPages, ThatContinueSayWhenRetentionWasFaster) {
  Append(20);
  Open();
  List request;
  request.set_page_token(Token(request, 5));
  replica_.HoldBounds();
  store_.TrimBefore(11);
  const auto page = Page(request);
  EXPECT_TRUE(Refused(page, StatusCode::OUT_OF_RANGE, "CURSOR_EXPIRED"));
  EXPECT_EQ(page.info("oldest_cursor"), Cursor(10));
  // Also when nothing is left.
  replica_.HoldBounds();
  store_.TrimBefore(21);
  EXPECT_TRUE(Refused(Page(request), StatusCode::OUT_OF_RANGE, "CURSOR_EXPIRED"));
}

TEST_F(EventPages, ThatBeginStartWithWhatIsKept) {
  Append(20);
  Open();
  replica_.HoldBounds();
  store_.TrimBefore(11);
  const auto page = Page({});
  ASSERT_TRUE(Ok(page));
  EXPECT_EQ(Listed(page.response), Range(11, 20));
  replica_.HoldBounds();
  store_.TrimBefore(21);
  const auto empty = Page({});
  ASSERT_TRUE(Ok(empty));
  EXPECT_EQ(empty.response.events_size(), 0);
  EXPECT_EQ(empty.response.next_page_token(), "");
}

TEST_F(EventPages, KeepWhatTheyHaveWhenRetentionOvertakesThem) {
  Append(600);  // more than is read at once
  Open();
  List request;
  request.set_page_size(1000);
  replica_.HoldReads();
  Reply<v1::ListSessionEventsResponse> page;
  std::thread caller([&] { page = Page(request); });
  WaitUntil([this] { return replica_.waiting_reads() == 1; });
  replica_.Lies([this](int64_t after, auto*) {
    if (after == 0) store_.TrimBefore(550);
  });
  replica_.ReleaseReads();
  caller.join();
  ASSERT_TRUE(Ok(page));
  EXPECT_EQ(Listed(page.response), Range(1, 512));
  request.set_page_token(page.response.next_page_token());
  EXPECT_TRUE(Refused(Page(request), StatusCode::OUT_OF_RANGE, "CURSOR_EXPIRED"));
}

TEST_F(EventPages, EndEarlyWhenTheirEventsAreLarge) {
  Append(10, "s1", 250'000);
  Open();
  List request;
  std::vector<int64_t> listed;
  std::vector<size_t> sizes;
  do {
    const auto page = Page(request);
    ASSERT_TRUE(Ok(page));
    sizes.push_back(Listed(page.response).size());
    for (const int64_t position : Listed(page.response)) listed.push_back(position);
    request.set_page_token(page.response.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(listed, Range(1, 10));
  EXPECT_THAT(sizes, testing::ElementsAre(5, 5)) << "a megabyte each";
}

}  // namespace
}  // namespace ipp::rpc
