// SubscribeSessionEvents and ListSessionEvents: where a stream starts, what it shows, where it goes
// on.

#include "gmock/gmock.h"
#include "server/base/protobuf_time.h"
#include "tests/support/gateway_streams.h"
#include "tests/support/gateway_under_test.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;
using Events = v1::SessionEventService::Stub;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;

constexpr char kFromNow[] = "position: START_POSITION_FROM_NOW";
constexpr char kFromOldest[] = "position: START_POSITION_FROM_OLDEST";

std::string After(const std::string& cursor) { return "after_cursor: '" + cursor + "'"; }

// Two sales of two merchants, on two phones, with two order numbers; all of it is in the log.
class EventLog : public testing::Test {
 protected:
  EventLog() {
    first_device_ = bed_.NewDevice("Till 1", kFirst);
    second_device_ = bed_.NewDevice("Till 2", kSecond);
    EventFeed feed(bed_.gateway.channel(), kFromNow);
    first_session_ = bed_.NewSession(first_device_, kFirst);
    auto order = Text<v1::CreateSessionRequest>(OrderText(second_device_));
    order.set_merchant_reference1("SHOP-2002");
    second_session_ = bed_.Call(&v1::SessionService::Stub::CreateSession, order, kSecond)
                          .response.session()
                          .session_id();
    // From here on: the webhook of a creation could overtake its answer, and would know less.
    bed_.simulator.SetWebhookUrl(bed_.gateway.webhook_url());
    bed_.Tap(first_session_, "SUCCESS", kFirst);
    bed_.Tap(second_session_, "LOST_CARD", kSecond);
    for (int i = 0; i < 6; ++i) all_.push_back(feed.NextEvent());
  }

  // "<first|second> TYPE" of each event that the filter lets through.
  std::vector<std::string> Filtered(const std::string& filter) {
    const auto reply = bed_.Call(&Events::ListSessionEvents,
                                 Text<v1::ListSessionEventsRequest>("filter {" + filter + "}"));
    EXPECT_TRUE(Ok(reply));
    std::vector<std::string> listed;
    for (const v1::SessionEvent& event : reply.response.events()) listed.push_back(Name(event));
    // The stream shows the same.
    EventFeed feed(bed_.gateway.channel(), std::string(kFromOldest) + " filter {" + filter + "}");
    for (const std::string& name : listed) EXPECT_EQ(Name(feed.NextEvent()), name);
    std::sort(listed.begin(), listed.end());
    return listed;
  }

  std::string Name(const v1::SessionEvent& event) const {
    return (event.session_id() == first_session_ ? "first " : "second ") + ShortName(event.type());
  }

  const CallOptions kFirst{.metadata = {{"x-merchant-id", kMerchant}}};
  const CallOptions kSecond{.metadata = {{"x-merchant-id", kMerchant2}}};
  GatewayBed bed_{{.webhooks = false, .two_merchants = true}};
  std::string first_device_, second_device_, first_session_, second_session_;
  std::vector<v1::SessionEvent> all_;
};

TEST_F(EventLog, IsFilteredByMerchant) {
  EXPECT_THAT(Filtered("merchant_ids: 'PM00000001'"),
              ElementsAre("first ACTIVATED", "first CREATED", "first FINALIZED"));
  EXPECT_EQ(Filtered("merchant_ids: 'PM00000001' merchant_ids: 'PM00000002'").size(), 6u);
  EXPECT_EQ(Filtered("").size(), 6u);
}

TEST_F(EventLog, IsFilteredBySession) {
  EXPECT_THAT(Filtered("session_ids: '" + second_session_ + "'"),
              ElementsAre("second ACTIVATED", "second CREATED", "second PAYMENT_FAILED"));
}

TEST_F(EventLog, IsFilteredByDevice) {
  EXPECT_THAT(Filtered("device_ids: '" + first_device_ + "'"),
              ElementsAre("first ACTIVATED", "first CREATED", "first FINALIZED"));
}

TEST_F(EventLog, IsFilteredByType) {
  EXPECT_THAT(Filtered("types: SESSION_EVENT_TYPE_FINALIZED types: SESSION_EVENT_TYPE_CREATED"),
              ElementsAre("first CREATED", "first FINALIZED", "second CREATED"));
}

TEST_F(EventLog, IsFilteredByReference) {
  EXPECT_THAT(Filtered("merchant_reference1s: 'SHOP-2002'"),
              ElementsAre("second ACTIVATED", "second CREATED", "second PAYMENT_FAILED"));
}

TEST_F(EventLog, IsFilteredByAllListsTogether) {
  EXPECT_THAT(Filtered("merchant_ids: 'PM00000002' types: SESSION_EVENT_TYPE_CREATED"),
              ElementsAre("second CREATED"));
  EXPECT_THAT(Filtered("merchant_ids: 'PM00000002' session_ids: '" + first_session_ + "'"),
              IsEmpty());
}

TEST_F(EventLog, ContinuesAfterEveryCursor) {
  for (size_t i = 0; i + 1 < all_.size(); ++i) {
    EventFeed feed(bed_.gateway.channel(), After(all_[i].cursor()));
    EXPECT_EQ(feed.started().cursor(), all_[i].cursor());
    EXPECT_EQ(feed.NextEvent().event_id(), all_[i + 1].event_id());
  }
}

TEST_F(EventLog, ContinuesAfterWhereItStarted) {
  EventFeed now(bed_.gateway.channel(), kFromNow);
  const std::string session = bed_.NewSession(first_device_, kFirst);
  EventFeed again(bed_.gateway.channel(), After(now.started().cursor()));
  EXPECT_EQ(again.NextEvent().session_id(), session);
  EventFeed oldest(bed_.gateway.channel(), After(now.started().oldest_cursor()));
  EXPECT_EQ(oldest.NextEvent().event_id(), all_[0].event_id());
}

TEST_F(EventLog, StartsWithTheFirstEventRecordedAtATime) {
  v1::SubscribeSessionEventsRequest request;
  *request.mutable_start_time() = all_[2].recorded_at();
  EventFeed feed(bed_.gateway.channel(), request);
  const v1::SessionEvent first = feed.NextEvent();
  EXPECT_EQ(FromTimestamp(first.recorded_at()), FromTimestamp(all_[2].recorded_at()));
  *request.mutable_start_time() = ToTimestamp(absl::Now() + absl::Hours(1));
  EventFeed future(bed_.gateway.channel(), request);
  const std::string session = bed_.NewSession(first_device_, kFirst);
  EXPECT_EQ(future.NextEvent().session_id(), session);
}

TEST_F(EventLog, IsListedPageByPage) {
  v1::ListSessionEventsRequest request;
  request.set_page_size(2);
  std::vector<std::string> listed;
  std::vector<int> sizes;
  do {
    const auto reply = bed_.Call(&Events::ListSessionEvents, request);
    ASSERT_TRUE(Ok(reply));
    sizes.push_back(reply.response.events_size());
    for (const auto& event : reply.response.events()) listed.push_back(event.cursor());
    request.set_page_token(reply.response.next_page_token());
  } while (!request.page_token().empty());
  std::vector<std::string> all;
  for (const auto& event : all_) all.push_back(event.cursor());
  EXPECT_THAT(listed, ElementsAreArray(all)) << "an event carries the same cursor everywhere";
  EXPECT_THAT(sizes, ElementsAre(2, 2, 2));
}

TEST_F(EventLog, IsListedPageByPageThroughAFilterAndFromATime) {
  v1::ListSessionEventsRequest request;
  request.set_page_size(1);
  request.mutable_filter()->add_session_ids(first_session_);
  *request.mutable_start_time() = all_[0].recorded_at();
  std::vector<std::string> types;
  do {
    const auto reply = bed_.Call(&Events::ListSessionEvents, request);
    ASSERT_TRUE(Ok(reply));
    for (const auto& event : reply.response.events()) types.push_back(ShortName(event.type()));
    request.set_page_token(reply.response.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(types, ElementsAre("CREATED", "ACTIVATED", "FINALIZED"));
}

TEST_F(EventLog, GivesATokenThatIsGoodForItsFilterAlone) {
  v1::ListSessionEventsRequest request;
  request.set_page_size(1);
  request.set_page_token(bed_.Call(&Events::ListSessionEvents, request).response.next_page_token());
  request.mutable_filter()->add_session_ids(first_session_);
  const auto reply = bed_.Call(&Events::ListSessionEvents, request);
  EXPECT_TRUE(Refused(reply, grpc::StatusCode::INVALID_ARGUMENT, "INVALID_REQUEST"));
  EXPECT_THAT(reply.fields(), ElementsAre("page_token"));
}

TEST(Cursor, ContinuesAfterTheGatewayWasStartedAgain) {
  GatewayBed bed;
  const std::string device = bed.NewDevice();
  std::string cursor;
  std::vector<std::string> seen;
  const std::string before = bed.NewSession(device);
  const std::string between = bed.NewSession(device);
  {
    EventFeed feed(bed.gateway.channel(), kFromOldest);
    seen.push_back(feed.NextEvent().session_id());
    cursor = feed.cursor();
  }
  bed.gateway.Stop();
  // No subscriber gets it.
  bed.simulator.Step(before, "activate");
  bed.simulator.Step(between, "clerk-cancel");
  bed.RestartGateway();
  // They get it now, after what came before.
  for (const SentWebhook& webhook : bed.simulator.Webhooks()) {
    bed.simulator.Resend(webhook.event_id);
  }
  EventFeed feed(bed.gateway.channel(), After(cursor));
  EXPECT_EQ(feed.started().cursor(), cursor);
  std::vector<std::string> rest;
  for (int i = 0; i < 3; ++i) {
    const v1::SessionEvent event = feed.NextEvent();
    rest.push_back((event.session_id() == before ? "before " : "between ") +
                   ShortName(event.type()));
  }
  EXPECT_EQ(rest[0], "between CREATED");
  EXPECT_THAT(rest, testing::UnorderedElementsAre("between CREATED", "before ACTIVATED",
                                                  "between CANCELLED"));
  bed.gateway.WaitForMetric("ipp_webhooks_total", 4);
  const std::string last = bed.NewSession(device);
  EXPECT_EQ(feed.NextEvent().session_id(), last) << "nothing came twice";
}

TEST(Heartbeats, MoveTheCursorOverWhatDoesNotMatch) {
  GatewayBed bed;
  EventFeed feed(bed.gateway.channel(), std::string(kFromNow) + " filter { session_ids: '" +
                                            kNobody + "' } heartbeat_interval { seconds: 1 }");
  const std::string session = bed.NewSession();
  const std::optional<EventFeed::Message> heartbeat = feed.Next();
  ASSERT_TRUE(heartbeat && heartbeat->has_heartbeat());
  EXPECT_NE(heartbeat->heartbeat().cursor(), feed.started().cursor());
  // Nothing is lost by continuing there with another filter.
  EventFeed other(bed.gateway.channel(), After(heartbeat->heartbeat().cursor()));
  bed.Tap(session);
  EXPECT_THAT(other.NextTypes(2), ElementsAre("ACTIVATED", "FINALIZED"));
}

TEST(Heartbeats, ComeAsOftenAsTheGatewayIsConfiguredTo) {
  GatewayBed bed({.configure = [](const TestDirectory&, config::Config& config) {
    config.mutable_events()->mutable_heartbeat_interval()->set_seconds(0);
    config.mutable_events()->mutable_heartbeat_interval()->set_nanos(100'000'000);
  }});
  EventFeed feed(bed.gateway.channel(), kFromNow);
  for (int i = 0; i < 2; ++i) {
    const std::optional<EventFeed::Message> message = feed.Next();
    ASSERT_TRUE(message && message->has_heartbeat());
    EXPECT_EQ(message->heartbeat().cursor(), feed.started().cursor());
  }
}

}  // namespace
}  // namespace ipp
