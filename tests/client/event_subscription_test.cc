#include "ippclient/event_subscription.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <thread>

#include "ippclient/connection.h"
#include "ippclient/error.h"
#include "tests/client/fake_gateway.h"
#include "tests/client/manual_clock.h"
#include "tests/client/scripted_events.h"

namespace ipp::client {
namespace {

using ::testing::ElementsAre;

// Remembers what it heard.
struct Recorder : EventHandler {
  void OnEvent(const v1::SessionEvent& event) override {
    events.push_back(event.event_id());
    if (on_event) on_event(event.event_id());
  }
  void OnStarted(const v1::SubscriptionStarted& started) override {
    if (on_started) on_started(started);
  }
  void OnCursor(absl::string_view cursor) override { cursors.emplace_back(cursor); }
  void OnDisconnected(const grpc::Status& status, absl::Duration retry_in) override {
    statuses.push_back(status.error_code());
    waits.push_back(retry_in);
    if (on_disconnected) on_disconnected();
  }

  std::vector<std::string> events;
  std::vector<std::string> cursors;
  std::vector<grpc::StatusCode> statuses;
  std::vector<absl::Duration> waits;
  std::function<void(const std::string&)> on_event;
  std::function<void(const v1::SubscriptionStarted&)> on_started;
  std::function<void()> on_disconnected;
};

class EventSubscriptionTest : public ::testing::Test {
 protected:
  EventSubscription::Options Options() {
    EventSubscription::Options options;
    options.request.set_position(v1::START_POSITION_FROM_OLDEST);
    options.request.mutable_filter()->add_session_ids("s-1");
    options.initial_backoff = absl::Seconds(1);
    options.max_backoff = absl::Seconds(5);
    options.clock = &clock_;
    return options;
  }

  // Runs to the end of the scripts: the service then answers NOT_FOUND.
  void RunToTheEnd(EventSubscription::Options options) {
    EventSubscription subscription(channel_, std::move(options));
    EXPECT_EQ(subscription.Run(&recorder_).error_code(), grpc::StatusCode::NOT_FOUND);
  }
  // What has passed but for silences.
  absl::Duration Waited() const {
    return std::accumulate(recorder_.waits.begin(), recorder_.waits.end(), absl::ZeroDuration());
  }

  // Cursor that each subscription asked for; "-" for the start position.
  std::vector<std::string> AskedFor() {
    std::vector<std::string> cursors;
    for (const auto& request : events_.requests()) {
      cursors.push_back(request.start_case() == v1::SubscribeSessionEventsRequest::kAfterCursor
                            ? request.after_cursor()
                            : "-");
    }
    return cursors;
  }

  ScriptedEvents events_;
  FakeGateway gateway_{&events_};
  std::shared_ptr<grpc::Channel> channel_ = [this] {
    ConnectionOptions options;
    options.address = gateway_.address();
    return (*Connection::Create(options))->channel();
  }();
  ManualClock clock_{/*short_wait=*/absl::Seconds(30)};  // all pauses, and no silence
  Recorder recorder_;
};

TEST_F(EventSubscriptionTest, DeliversEachEventOnceOverBrokenStreams) {
  events_.Add({{StartedAt("c-0"), EventOf("1"), EventOf("2")}, Unavailable()});
  events_.Add({{StartedAt("c-2"), EventOf("3")}, {grpc::StatusCode::INTERNAL, "reset"}});
  events_.Add({{StartedAt("c-3"), EventOf("4")}, grpc::Status::OK});
  RunToTheEnd(Options());
  EXPECT_THAT(recorder_.events, ElementsAre("1", "2", "3", "4"));
  EXPECT_THAT(AskedFor(), ElementsAre("-", "c-2", "c-3", "c-4"));
  EXPECT_THAT(recorder_.cursors, ElementsAre("c-0", "c-1", "c-2", "c-2", "c-3", "c-3", "c-4"));
}

// Takes events, and places without one, until it fails.
class Failing final : public EventHandler {
 public:
  explicit Failing(std::string at) : at_(std::move(at)) {}
  grpc::Status TakeEvent(const v1::SessionEvent& event) override { return Take(event.cursor()); }
  grpc::Status TakePlace(absl::string_view cursor) override { return Take(std::string(cursor)); }
  std::vector<std::string> taken;

 private:
  grpc::Status Take(const std::string& cursor) {
    taken.push_back(cursor);
    return cursor == at_ ? grpc::Status(grpc::StatusCode::ABORTED, "broken") : grpc::Status::OK;
  }
  const std::string at_;
};

TEST_F(EventSubscriptionTest, EndsBeforeWhatTheHandlerDidNotTake) {
  for (const char* at : {"c-2", "beat"}) {
    events_.Add({{StartedAt("c-0"), EventOf("1"), EventOf("2"), HeartbeatAt("beat")}, {}, true});
    Failing handler(at);
    EventSubscription subscription(channel_, Options());
    EXPECT_EQ(subscription.Run(&handler).error_message(), "broken");
    EXPECT_EQ(handler.taken.back(), at);
    EXPECT_EQ(subscription.cursor(), handler.taken[handler.taken.size() - 2]);
  }
}

TEST_F(EventSubscriptionTest, ContinuesAfterTheCursorOfEveryKindOfMessage) {
  events_.Add({{StartedAt("started")}, Unavailable()});
  events_.Add({{StartedAt("s"), HeartbeatAt("heartbeat")}, Unavailable()});
  events_.Add({{StartedAt("s"), EventOf("1"), GoodbyeAt("goodbye")}, Unavailable()});
  RunToTheEnd(Options());
  EXPECT_THAT(AskedFor(), ElementsAre("-", "started", "heartbeat", "goodbye"));
}

TEST_F(EventSubscriptionTest, AsksForTheSameStartUntilTheFirstCursor) {
  events_.Add({{}, Unavailable()});
  events_.Add({{}, Unavailable()});
  RunToTheEnd(Options());
  EXPECT_THAT(AskedFor(), ElementsAre("-", "-", "-"));
  for (const auto& request : events_.requests()) {
    EXPECT_EQ(request.position(), v1::START_POSITION_FROM_OLDEST);
  }
}

TEST_F(EventSubscriptionTest, KeepsFilterAndPolicyWhenItReconnects) {
  events_.Add({{StartedAt("c-0")}, Unavailable()});
  EventSubscription::Options options = Options();
  options.request.set_on_cursor_expired(v1::CURSOR_EXPIRED_POLICY_SKIP_TO_OLDEST);
  RunToTheEnd(std::move(options));
  const auto requests = events_.requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_THAT(requests[1].filter().session_ids(), ElementsAre("s-1"));
  EXPECT_EQ(requests[1].on_cursor_expired(), v1::CURSOR_EXPIRED_POLICY_SKIP_TO_OLDEST);
  EXPECT_EQ(requests[1].heartbeat_interval().seconds(), 15);
}

TEST_F(EventSubscriptionTest, WaitsLongerEachTimeUpToTheMost) {
  for (int i = 0; i < 5; ++i) events_.Add({{}, Unavailable()});
  RunToTheEnd(Options());
  // Half for certain, half of the other half by the chance of 0.5.
  EXPECT_THAT(recorder_.waits,
              ElementsAre(absl::Milliseconds(750), absl::Milliseconds(1500), absl::Seconds(3),
                          absl::Milliseconds(3750), absl::Milliseconds(3750)));
  EXPECT_EQ(clock_.Now(), Waited());
}

TEST_F(EventSubscriptionTest, WaitsFromTheBeginningAfterAStreamThatDelivered) {
  events_.Add({{}, Unavailable()});
  events_.Add({{StartedAt("c-0")}, Unavailable()});  // `started` alone does not count
  events_.Add({{StartedAt("c-0"), EventOf("1")}, Unavailable()});
  RunToTheEnd(Options());
  EXPECT_THAT(recorder_.waits, ElementsAre(absl::Milliseconds(750), absl::Milliseconds(1500),
                                           absl::Milliseconds(750)));
}

TEST_F(EventSubscriptionTest, WaitsAsLongAsTheGatewayAsks) {
  events_.Add({{},
               GatewayError(MakeError(absl::StatusCode::kResourceExhausted, "too many",
                                      {.reason = "SUBSCRIBERS",
                                       .metadata = {},
                                       .violations = {},
                                       .retry_after = absl::Seconds(20)}))});
  RunToTheEnd(Options());
  EXPECT_THAT(recorder_.waits, ElementsAre(absl::Seconds(20)));
  EXPECT_EQ(clock_.Now(), absl::Seconds(20));
}

class SubscriptionGivesUp : public EventSubscriptionTest,
                            public ::testing::WithParamInterface<grpc::StatusCode> {};

TEST_P(SubscriptionGivesUp, OnWhatARetryCannotHeal) {
  events_.Add({{StartedAt("c-0"), EventOf("1")}, {GetParam(), "no"}});
  EventSubscription subscription(channel_, Options());
  const grpc::Status status = subscription.Run(&recorder_);
  EXPECT_EQ(status.error_code(), GetParam());
  EXPECT_EQ(status.error_message(), "no");
  EXPECT_EQ(events_.requests().size(), 1u);
  EXPECT_EQ(subscription.cursor(), "c-1");
  EXPECT_THAT(recorder_.waits, ElementsAre());
}

INSTANTIATE_TEST_SUITE_P(
    Codes, SubscriptionGivesUp,
    ::testing::Values(grpc::StatusCode::INVALID_ARGUMENT, grpc::StatusCode::PERMISSION_DENIED,
                      grpc::StatusCode::UNAUTHENTICATED, grpc::StatusCode::OUT_OF_RANGE,
                      grpc::StatusCode::NOT_FOUND, grpc::StatusCode::UNIMPLEMENTED),
    [](const auto& info) { return CodeName(info.param); });

TEST_F(EventSubscriptionTest, GoesOnWhenRetentionHasOvertakenItAndLossIsAllowed) {
  const grpc::Status overtaken = {grpc::StatusCode::OUT_OF_RANGE, "overtaken"};
  auto behind_the_gap = StartedAt("c-7");
  behind_the_gap.mutable_started()->set_skipped(true);
  events_.Add({{StartedAt("c-0"), EventOf("1")}, overtaken});
  events_.Add({{}, overtaken});
  events_.Add({{behind_the_gap, EventOf("8")}, Unavailable()});
  EventSubscription::Options options = Options();
  options.request.set_on_cursor_expired(v1::CURSOR_EXPIRED_POLICY_SKIP_TO_OLDEST);
  int skipped = 0;
  recorder_.on_started = [&](const auto& started) { skipped += started.skipped() ? 1 : 0; };
  RunToTheEnd(std::move(options));
  EXPECT_THAT(recorder_.events, ElementsAre("1", "8"));
  EXPECT_THAT(AskedFor(), ElementsAre("-", "c-1", "c-1", "c-8"));
  EXPECT_EQ(skipped, 1);
  // Not at once, and later each time.
  EXPECT_THAT(recorder_.waits, ElementsAre(absl::Milliseconds(750), absl::Milliseconds(1500),
                                           absl::Milliseconds(750)));
  EXPECT_EQ(clock_.Now(), Waited());
}

class SubscriptionGoesOn : public EventSubscriptionTest,
                           public ::testing::WithParamInterface<grpc::StatusCode> {};

TEST_P(SubscriptionGoesOn, AfterWhatARetryMayHeal) {
  events_.Add({{StartedAt("c-0")}, {GetParam(), "hm"}});
  events_.Add({{StartedAt("c-0"), EventOf("1")}, Unavailable()});
  RunToTheEnd(Options());
  EXPECT_THAT(recorder_.events, ElementsAre("1"));
  EXPECT_EQ(recorder_.statuses.front(), GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    Codes, SubscriptionGoesOn,
    ::testing::Values(grpc::StatusCode::OK, grpc::StatusCode::CANCELLED, grpc::StatusCode::UNKNOWN,
                      grpc::StatusCode::DEADLINE_EXCEEDED, grpc::StatusCode::RESOURCE_EXHAUSTED,
                      grpc::StatusCode::ABORTED, grpc::StatusCode::INTERNAL,
                      grpc::StatusCode::UNAVAILABLE, grpc::StatusCode::DATA_LOSS),
    [](const auto& info) { return CodeName(info.param); });

TEST_F(EventSubscriptionTest, TakesThreeMissedHeartbeatsForADeadConnection) {
  events_.Add({{StartedAt("c-0"), EventOf("1")}, grpc::Status::OK, /*silent=*/true});
  events_.Add({{StartedAt("c-1"), EventOf("2")}, Unavailable()});
  EventSubscription::Options options = Options();
  options.request.mutable_heartbeat_interval()->set_seconds(12);
  std::thread silence;
  recorder_.on_event = [&](const std::string& id) {
    // There is no wait while an event is being handled: the next wait is the silence after it.
    if (id == "1") {
      silence = std::thread([&] { clock_.PassNextWait(absl::Seconds(36)); });
    }
  };
  RunToTheEnd(std::move(options));
  silence.join();
  EXPECT_THAT(recorder_.events, ElementsAre("1", "2"));
  EXPECT_THAT(AskedFor(), ElementsAre("-", "c-1", "c-2"));
  EXPECT_EQ(recorder_.statuses.front(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(EventSubscriptionTest, TellsWhenEventsWereSkipped) {
  auto started = StartedAt("c-9");
  started.mutable_started()->set_skipped(true);
  events_.Add({{started}, Unavailable()});
  bool skipped = false;
  recorder_.on_started = [&](const auto& message) { skipped = message.skipped(); };
  RunToTheEnd(Options());
  EXPECT_TRUE(skipped);
}

TEST_F(EventSubscriptionTest, CancelFromTheHandlerIsTheLastThingItHears) {
  events_.Add({{StartedAt("c-0"), EventOf("1"), EventOf("2"), EventOf("3")}, Unavailable()});
  EventSubscription subscription(channel_, Options());
  recorder_.on_event = [&](const std::string& id) {
    if (id == "2") subscription.Cancel();
  };
  EXPECT_TRUE(subscription.Run(&recorder_).ok());
  EXPECT_THAT(recorder_.events, ElementsAre("1", "2"));
  EXPECT_EQ(subscription.cursor(), "c-2");
}

TEST_F(EventSubscriptionTest, CancelFromAnotherThreadEndsASilentStream) {
  events_.Add({{StartedAt("c-0")}, grpc::Status::OK, /*silent=*/true});
  EventSubscription subscription(channel_, Options());
  std::thread other;
  recorder_.on_started = [&](const auto&) { other = std::thread([&] { subscription.Cancel(); }); };
  EXPECT_TRUE(subscription.Run(&recorder_).ok());
  other.join();
  EXPECT_EQ(subscription.cursor(), "c-0");
}

TEST_F(EventSubscriptionTest, CancelEndsAWait) {
  events_.Add({{}, Unavailable()});
  EventSubscription subscription(channel_, Options());
  recorder_.on_disconnected = [&] { subscription.Cancel(); };
  EXPECT_TRUE(subscription.Run(&recorder_).ok());
  EXPECT_EQ(events_.requests().size(), 1u);
  EXPECT_EQ(clock_.Now(), absl::ZeroDuration());
}

TEST_F(EventSubscriptionTest, CancelBeforeRunMakesNoCall) {
  EventSubscription subscription(channel_, Options());
  subscription.Cancel();
  subscription.Cancel();
  EXPECT_TRUE(subscription.Run(&recorder_).ok());
  EXPECT_TRUE(events_.requests().empty());
}

TEST_F(EventSubscriptionTest, MovesItsCursorOnlyAfterTheHandlerHasReturned) {
  events_.Add({{StartedAt("c-0"), EventOf("1"), EventOf("2")}, grpc::Status::OK});
  EventSubscription subscription(channel_, Options());
  std::vector<std::string> seen;
  recorder_.on_event = [&](const std::string&) { seen.push_back(subscription.cursor()); };
  subscription.Run(&recorder_);
  EXPECT_THAT(seen, ElementsAre("c-0", "c-1"));
  EXPECT_EQ(subscription.cursor(), "c-2");
}

TEST_F(EventSubscriptionTest, RunsOnAThreadOfItsOwn) {
  events_.Add({{StartedAt("c-0"), EventOf("1")}, {grpc::StatusCode::PERMISSION_DENIED, "no"}});
  std::thread::id thread;
  recorder_.on_event = [&](const std::string&) { thread = std::this_thread::get_id(); };
  EventSubscription subscription(channel_, Options());
  subscription.Start(&recorder_);
  EXPECT_EQ(subscription.Wait().error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(recorder_.events, ElementsAre("1"));
  EXPECT_NE(thread, std::this_thread::get_id());
}

TEST_F(EventSubscriptionTest, EndsItsThreadWithItself) {
  events_.Add({{StartedAt("c-0")}, grpc::Status::OK, /*silent=*/true});
  EventSubscription subscription(channel_, Options());
  subscription.Start(&recorder_);
}

TEST_F(EventSubscriptionTest, TakesItsTimeFromTheRealMachine) {
  events_.Add({{StartedAt("c-0"), EventOf("1")}, Unavailable()});
  EventSubscription::Options options = Options();
  options.clock = nullptr;
  options.initial_backoff = absl::Milliseconds(1);
  RunToTheEnd(std::move(options));
  EXPECT_THAT(AskedFor(), ElementsAre("-", "c-1"));
}

}  // namespace
}  // namespace ipp::client
