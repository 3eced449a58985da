// How streams end: with the gateway, with their caller, and when it does not read.

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/support/gateway_streams.h"
#include "tests/support/gateway_under_test.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;
using grpc::StatusCode;

constexpr char kFromNow[] = "position: START_POSITION_FROM_NOW";

TEST(Drain, SaysGoodbyeWithTheCursorToGoOnFrom) {
  GatewayBed bed;
  EventFeed idle(bed.gateway.NewChannel(),
                 std::string(kFromNow) + " filter { session_ids: '" + kNobody + "' }");
  EventFeed feed(bed.gateway.channel(), kFromNow);
  const std::string session = bed.NewSession();
  EXPECT_EQ(feed.NextEvent().session_id(), session);
  const std::string last = feed.cursor();

  bed.gateway.Drain();

  for (EventFeed* stream : {&feed, &idle}) {
    const std::optional<EventFeed::Message> goodbye = stream->Next();
    ASSERT_TRUE(goodbye && goodbye->has_goodbye());
    EXPECT_EQ(goodbye->goodbye().cursor(), last) << "also past what did not match";
    EXPECT_EQ(goodbye->goodbye().reason(), "draining");
    const RpcEnd end = stream->End();
    EXPECT_TRUE(Refused(end, StatusCode::UNAVAILABLE, "DRAINING"));
    EXPECT_EQ(end.info("retry_safe"), "true");
  }
  bed.RestartGateway();
  EventFeed again(bed.gateway.channel(), "after_cursor: '" + last + "'");
  bed.simulator.Step(session, "activate");
  EXPECT_EQ(again.NextEvent().type(), v1::SESSION_EVENT_TYPE_ACTIVATED);
}

// As when a later port is taken: the process must end, not serve until the streams are old.
TEST(Drain, IsNotNeededForTheGatewayToEnd) {
  TestDirectory directory;
  absl::StatusOr<std::unique_ptr<App>> app =
      App::Start(TestConfig(directory, "http://127.0.0.1:9"));
  ASSERT_TRUE(app.ok()) << app.status();
  EventFeed feed(grpc::CreateChannel(absl::StrCat("127.0.0.1:", (*app)->grpc_port()),
                                     grpc::InsecureChannelCredentials()),
                 kFromNow);
  EXPECT_NE(feed.started().cursor(), "");
  app->reset();
  const RpcEnd end = feed.End();
  EXPECT_FALSE(end.ok());
  EXPECT_NE(end.code, StatusCode::DEADLINE_EXCEEDED);
}

TEST(StreamAge, EndsAStreamWithGoodbye) {
  GatewayBed bed({.configure = [](const TestDirectory&, config::Config& config) {
    config.mutable_events()->mutable_max_stream_age()->set_seconds(1);
  }});
  EventFeed feed(bed.gateway.channel(), kFromNow);
  const std::optional<EventFeed::Message> goodbye = feed.Next();
  ASSERT_TRUE(goodbye && goodbye->has_goodbye());
  EXPECT_EQ(goodbye->goodbye().reason(), "stream_age");
  EXPECT_EQ(goodbye->goodbye().cursor(), feed.started().cursor());
  EXPECT_TRUE(Refused(feed.End(), StatusCode::UNAVAILABLE, "STREAM_AGE"));
}

TEST(Subscribers, AreNoMoreThanConfigured) {
  GatewayBed bed({.configure = [](const TestDirectory&, config::Config& config) {
    config.mutable_events()->set_max_subscribers(2);
  }});
  EventFeed first(bed.gateway.channel(), kFromNow);
  {
    EventFeed second(bed.gateway.channel(), kFromNow);
    EventFeed third(bed.gateway.channel(), kFromNow);
    const RpcEnd end = third.End();
    EXPECT_TRUE(Refused(end, StatusCode::RESOURCE_EXHAUSTED, "TOO_MANY_SUBSCRIBERS"));
    EXPECT_TRUE(end.detail.retry_after.has_value());
  }
  bed.gateway.WaitForMetric("ipp_events_subscribers", 1);
  EventFeed fourth(bed.gateway.channel(), kFromNow);
  EXPECT_NE(fourth.started().cursor(), "");
}

TEST(Subscribers, ThatGoFreeTheirPlace) {
  GatewayBed bed;
  {
    EventFeed feed(bed.gateway.channel(), kFromNow);
    EXPECT_EQ(bed.gateway.Metric("ipp_events_subscribers"), 1);
  }
  bed.gateway.WaitForMetric("ipp_events_subscribers", 0);
  {
    // The whole connection, without a word about the stream.
    auto channel = bed.gateway.NewChannel();
    EventFeed feed(channel, kFromNow);
    channel.reset();
    feed.Cancel();
  }
  bed.gateway.WaitForMetric("ipp_events_subscribers", 0);
  bed.gateway.WaitForMetric("grpc_server_handled_total", 2,
                            {R"(grpc_method="SubscribeSessionEvents")", R"(grpc_code="Canceled")"});
}

TEST(SlowReader, IsEndedWhileOthersGoOn) {
  GatewayBed bed({.configure = [](const TestDirectory&, config::Config& config) {
    config.mutable_events()->mutable_max_write_stall()->set_seconds(0);
    config.mutable_events()->mutable_max_write_stall()->set_nanos(100'000'000);
  }});
  // As little as can be is taken from the line before it is read.
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 16 * 1024);
  EventFeed slow(bed.gateway.NewChannel(nullptr, arguments), kFromNow);
  EventFeed quick(bed.gateway.channel(), kFromNow);
  // Every event of it carries what the shop wants to get back.
  auto order = Text<v1::CreateSessionRequest>(OrderText(bed.NewDevice()));
  order.set_merchant_data(std::string(200'000, 'x'));
  const auto made = bed.Call(&v1::SessionService::Stub::CreateSession, order);
  ASSERT_TRUE(Ok(made));
  const std::string session = made.response.session().session_id();
  bed.Tap(session, "LOST_CARD");
  std::vector<std::string> types = quick.NextTypes(3);
  bed.gateway.WaitForMetric("ipp_events_slow_readers_total", 1);
  bed.gateway.WaitForMetric("ipp_events_subscribers", 1);
  bed.Tap(session);
  types.push_back(ShortName(quick.NextEvent().type()));
  EXPECT_THAT(types, testing::ElementsAre("CREATED", "ACTIVATED", "PAYMENT_FAILED", "FINALIZED"));
  // Where the slow one goes on; nothing is lost.
  EXPECT_EQ(slow.End().code, StatusCode::CANCELLED);
  EventFeed again(bed.gateway.channel(), "after_cursor: '" + slow.started().cursor() + "'");
  EXPECT_EQ(again.NextTypes(4), types);
}

}  // namespace
}  // namespace ipp
