#include "ippclient/consumer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "ippclient/connection.h"
#include "ippclient/error.h"
#include "tests/client/fake_gateway.h"
#include "tests/client/manual_clock.h"
#include "tests/client/scripted_subscriptions.h"
#include "tests/support/text_of.h"

namespace ipp::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

grpc::Status Limit(absl::Duration retry_after) {
  return GatewayError(MakeError(absl::StatusCode::kResourceExhausted, "too many",
                                {.reason = "CALLER_LIMIT",
                                 .metadata = {{"outcome", "NOT_SENT"}, {"retry_safe", "true"}},
                                 .retry_after = retry_after}));
}

class ConsumerTest : public ::testing::Test {
 protected:
  using Handler = Consumer::Handler;

  ConsumerTest() {
    subscriptions_.now = [this] { return clock_.Now(); };
  }

  // Pauses are over at once; silences, leases and the time of a stop pass when the test says so.
  ConsumerOptions Options() {
    ConsumerOptions options;
    options.subscription.set_name("books");
    options.parallel = 1;
    options.heartbeat = absl::Hours(1);
    options.stop_timeout = absl::Minutes(5);
    options.on_disconnected = [this](const grpc::Status& status, absl::Duration retry_in) {
      broken_.push_back(status.error_code());
      waits_.push_back(retry_in);
    };
    options.clock = &clock_;
    return options;
  }
  // A stream that goes on until the client ends it.
  void AddSilent(std::vector<ScriptedSubscriptions::Received> messages) {
    subscriptions_.Add({std::move(messages), grpc::Status::OK, /*silent=*/true});
  }
  // Runs until so many settlements have come; then stops.
  std::vector<ScriptedSubscriptions::Settled> RunUntilSettled(size_t count, const Handler& handler,
                                                              ConsumerOptions options) {
    Consumer consumer(channel_, std::move(options));
    consumer.Start(handler);
    subscriptions_.AwaitSettled(count);
    consumer.Cancel();
    EXPECT_TRUE(consumer.Wait().ok());
    return subscriptions_.AwaitSettled(count);
  }

  // "acknowledge lease-e1"
  static std::vector<std::string> In(const std::vector<ScriptedSubscriptions::Settled>& all) {
    std::vector<std::string> said;
    for (const auto& [settlement, at] : all) {
      const auto* field = settlement.GetReflection()->GetOneofFieldDescriptor(
          settlement, v1::Settlement::descriptor()->oneof_decl(0));
      said.push_back(absl::StrCat(std::string(field->name()), " ", settlement.lease()));
    }
    return said;
  }

  static Handled Acknowledge(Delivery&) { return Handled::Acknowledge(); }

  ScriptedSubscriptions subscriptions_;
  FakeGateway gateway_{&subscriptions_};
  std::shared_ptr<grpc::Channel> channel_ = [this] {
    ConnectionOptions options;
    options.address = gateway_.address();
    return (*Connection::Create(options))->channel();
  }();
  ManualClock clock_{/*short_wait=*/absl::Seconds(30)};
  std::vector<grpc::StatusCode> broken_;  // the streams that broke
  std::vector<absl::Duration> waits_;     // and the pauses after them
};

TEST_F(ConsumerTest, HandsOutEachEventAndAcknowledgesWhatTheHandlerHasDone) {
  AddSilent({Receiving(), LeasedOf("e1"), LeasedOf("e2", /*attempt=*/3)});
  ConsumerOptions options = Options();
  options.max_in_flight = 7;
  options.consumer = "pod-1";
  options.heartbeat = absl::Seconds(15);
  std::vector<std::string> seen;
  const auto settled = RunUntilSettled(
      2,
      [&](Delivery& delivery) {
        seen.push_back(absl::StrCat(delivery.event().event_id(), " ", delivery.attempt()));
        return Handled::Acknowledge();
      },
      options);
  EXPECT_THAT(seen, ElementsAre("e1 1", "e2 3"));
  EXPECT_THAT(In(settled), ElementsAre("acknowledge lease-e1", "acknowledge lease-e2"));
  ASSERT_THAT(subscriptions_.requests(), SizeIs(1));
  const auto request = subscriptions_.requests().front();
  EXPECT_EQ(request.subscription(), "books");
  EXPECT_EQ(request.max_in_flight(), 7);
  EXPECT_EQ(request.consumer(), "pod-1");
  EXPECT_EQ(request.heartbeat_interval().seconds(), 15);
  EXPECT_THAT(subscriptions_.made_at(), IsEmpty());  // without a start it must be there
}

TEST_F(ConsumerTest, RunsAsManyHandlersAtOnceAsItMay) {
  AddSilent({Receiving(), LeasedOf("e1"), LeasedOf("e2")});
  ConsumerOptions options = Options();
  options.parallel = 2;
  absl::Notification first, second;
  RunUntilSettled(
      2,
      [&](Delivery& delivery) {
        // Each returns once the other one runs.
        (delivery.event().event_id() == "e1" ? first : second).Notify();
        first.WaitForNotification();
        second.WaitForNotification();
        return Handled::Acknowledge();
      },
      options);
}

// What a handler does, and what the gateway hears of it.
struct Said {
  const char* name;
  Consumer::Handler handler;
  std::string settlement;  // without the lease, as text
};

class ConsumerSays : public ConsumerTest, public ::testing::WithParamInterface<Said> {};

TEST_P(ConsumerSays, WhatTheHandlerSaysAndNoMore) {
  AddSilent({Receiving(), LeasedOf("e1")});
  auto settled = RunUntilSettled(1, GetParam().handler, Options());
  ASSERT_THAT(settled, SizeIs(1));
  EXPECT_EQ(settled[0].settlement.lease(), "lease-e1");
  settled[0].settlement.clear_lease();
  EXPECT_THAT(TextOf(settled[0].settlement), ::testing::StartsWith(GetParam().settlement));
  EXPECT_THAT(TextOf(settled[0].settlement), Not(HasSubstr("hunter2")));
}

INSTANTIATE_TEST_SUITE_P(
    All, ConsumerSays,
    ::testing::Values(
        Said{"Acknowledge", [](Delivery&) { return Handled::Acknowledge(); }, "acknowledge { }"},
        Said{"Retry", [](Delivery&) { return Handled::Retry("closed", absl::Seconds(7)); },
             "retry { delay { seconds: 7 } reason: \"closed\" }"},
        Said{"RetryWhenTheGatewayThinksRight", [](Delivery&) { return Handled::Retry("closed"); },
             "retry { reason: \"closed\" }"},
        Said{"Park", [](Delivery&) { return Handled::Park("no such order"); },
             "park { reason: \"no such order\" }"},
        Said{"Release", [](Delivery&) { return Handled::Release(); }, "release { }"},
        Said{"Ok", [](Delivery&) -> Handled { return absl::OkStatus(); }, "acknowledge { }"},
        Said{"Status",
             [](Delivery&) -> Handled { return absl::AbortedError("the password is hunter2"); },
             "retry { reason: \"ABORTED\" }"},
        Said{"Throw",
             [](Delivery&) -> Handled { throw std::runtime_error("the password is hunter2"); },
             "retry { reason: \"std::runtime_error\" }"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST_F(ConsumerTest, AStopGivesBackWhatHasNotBegunAndWaitsForWhatHas) {
  // Messages are taken in order: what `started` follows here is held by then.
  AddSilent({Receiving(), LeasedOf("e1"), LeasedOf("e2"), LeasedOf("e3"), Receiving()});
  absl::Notification begun, held, go;
  ConsumerOptions options = Options();
  int started = 0;
  options.on_started = [&](const v1::ReceiveStarted&) {
    if (++started == 2) held.Notify();
  };
  Consumer consumer(channel_, options);
  consumer.Start([&](Delivery& delivery) {
    EXPECT_EQ(delivery.event().event_id(), "e1");
    begun.Notify();
    go.WaitForNotification();
    return Handled::Acknowledge();
  });
  begun.WaitForNotification();
  held.WaitForNotification();
  consumer.Cancel();
  EXPECT_THAT(In(subscriptions_.AwaitSettled(2)),
              UnorderedElementsAre("release lease-e2", "release lease-e3"));
  go.Notify();
  EXPECT_TRUE(consumer.Wait().ok());
  EXPECT_EQ(In(subscriptions_.AwaitSettled(3)).back(), "acknowledge lease-e1");
}

TEST_F(ConsumerTest, CancelBeforeRunMakesNoCall) {
  ConsumerOptions options = Options();
  Consumer consumer(channel_, options);
  consumer.Cancel();
  consumer.Cancel();
  EXPECT_TRUE(consumer.Run(Acknowledge).ok());
  EXPECT_THAT(subscriptions_.requests(), IsEmpty());
}

TEST_F(ConsumerTest, ExtendsALeaseWhileItsHandlerRuns) {
  AddSilent({Receiving(), LeasedOf("e1")});
  ConsumerOptions options = Options();
  absl::Notification go;
  Consumer consumer(channel_, options);
  consumer.Start([&](Delivery& delivery) {
    go.WaitForNotification();
    EXPECT_FALSE(delivery.lease_lost());
    return Handled::Acknowledge();
  });
  for (size_t extensions = 1; extensions <= 3; ++extensions) {
    EXPECT_TRUE(clock_.PassNextWait(kScriptedLease / 3));
    EXPECT_EQ(In(subscriptions_.AwaitSettled(extensions)).back(), "extend lease-e1");
  }
  go.Notify();
  EXPECT_EQ(In(subscriptions_.AwaitSettled(4)).back(), "acknowledge lease-e1");
  consumer.Cancel();
  EXPECT_TRUE(consumer.Wait().ok());
}

TEST_F(ConsumerTest, AHandlerThatAsksHearsThatItsLeaseIsLostAndNothingIsSettled) {
  AddSilent({Receiving(), LeasedOf("e1"), LeasedOf("e2")});
  subscriptions_.judge = [](const v1::Settlement& settlement) {
    if (settlement.lease() == "lease-e1") return v1::SETTLEMENT_OUTCOME_LEASE_LOST;
    return v1::SETTLEMENT_OUTCOME_SETTLED;
  };
  ConsumerOptions options = Options();
  absl::Notification told;
  options.on_lease_lost = [&](const Delivery& delivery) {
    EXPECT_EQ(delivery.event().event_id(), "e1");
    told.Notify();
  };
  const auto settled = RunUntilSettled(
      2,
      [&](Delivery& delivery) {
        if (delivery.event().event_id() == "e1") {
          EXPECT_FALSE(delivery.Check());
          EXPECT_TRUE(delivery.lease_lost());
          told.WaitForNotification();
        }
        return Handled::Acknowledge();
      },
      options);
  EXPECT_THAT(In(settled), ElementsAre("extend lease-e1", "acknowledge lease-e2"));
}

TEST_F(ConsumerTest, TakesThreeMissedHeartbeatsForADeadConnection) {
  AddSilent({Receiving(), LeasedOf("e1")});
  AddSilent({Receiving(), LeasedOf("e2")});
  ConsumerOptions options = Options();
  options.heartbeat = absl::Seconds(12);
  Consumer consumer(channel_, options);
  std::vector<std::string> seen;
  consumer.Start([&](Delivery& delivery) {
    seen.push_back(delivery.event().event_id());
    return Handled::Acknowledge();
  });
  subscriptions_.AwaitSettled(1);
  EXPECT_TRUE(clock_.PassNextWait(absl::Seconds(36)));
  subscriptions_.AwaitSettled(2);
  consumer.Cancel();
  EXPECT_TRUE(consumer.Wait().ok());
  EXPECT_THAT(seen, ElementsAre("e1", "e2"));
  EXPECT_THAT(broken_, ElementsAre(grpc::StatusCode::UNAVAILABLE));
  EXPECT_THAT(subscriptions_.requests(), SizeIs(2));
}

TEST_F(ConsumerTest, BeginsANewStreamAfterAPauseAndSettlesWhatTheOldOneBrought) {
  subscriptions_.Add({{Receiving(), LeasedOf("e1")}, Unavailable()});
  AddSilent({Receiving()});
  absl::Notification again;
  ConsumerOptions options = Options();
  int started = 0;
  options.on_started = [&](const v1::ReceiveStarted&) {
    if (++started == 2) again.Notify();
  };
  const auto settled = RunUntilSettled(
      1,
      [&](Delivery&) {
        again.WaitForNotification();
        return Handled::Acknowledge();
      },
      options);
  EXPECT_THAT(In(settled), ElementsAre("acknowledge lease-e1"));
  // Half for certain, half of the other half by the chance of 0.5.
  EXPECT_THAT(waits_, ElementsAre(absl::Microseconds(187'500)));
}

TEST_F(ConsumerTest, WaitsWithANewStreamAsLongAsTheGatewayAsks) {
  subscriptions_.Add({{}, Limit(absl::Seconds(20))});
  AddSilent({Receiving(), LeasedOf("e1")});
  RunUntilSettled(1, Acknowledge, Options());
  EXPECT_THAT(waits_, ElementsAre(absl::Seconds(20)));
  EXPECT_THAT(subscriptions_.received_at(), ElementsAre(absl::ZeroDuration(), absl::Seconds(20)));
}

TEST_F(ConsumerTest, SettlesTheSameAgainAsSoonAsTheGatewayAllows) {
  AddSilent({Receiving(), LeasedOf("e1")});
  subscriptions_.settle_ends = {Limit(absl::Seconds(20)), Unavailable()};
  int handled = 0;
  const auto settled = RunUntilSettled(
      3,
      [&](Delivery&) {
        ++handled;
        return Handled::Park("no such order");
      },
      Options());
  EXPECT_EQ(handled, 1);
  EXPECT_THAT(In(settled), ElementsAre("park lease-e1", "park lease-e1", "park lease-e1"));
  EXPECT_EQ(settled[0].at, absl::ZeroDuration());
  EXPECT_EQ(settled[1].at, absl::Seconds(20));
  EXPECT_GT(settled[2].at, settled[1].at);
}

TEST_F(ConsumerTest, MakesTheSubscriptionFirstAsSoonAsTheGatewayAllows) {
  subscriptions_.make_ends = {Limit(absl::Seconds(20)), {grpc::StatusCode::UNAVAILABLE, "reset"}};
  AddSilent({Receiving(), LeasedOf("e1")});
  ConsumerOptions options = Options();
  options.subscription.mutable_start()->set_position(v1::START_POSITION_FROM_OLDEST);
  RunUntilSettled(1, Acknowledge, options);
  const auto made_at = subscriptions_.made_at();
  ASSERT_THAT(made_at, SizeIs(3));
  EXPECT_EQ(made_at[1] - made_at[0], absl::Seconds(20));
  EXPECT_GT(made_at[2], made_at[1]);  // by the library's own rule, after its pause
  EXPECT_GE(subscriptions_.received_at().front(), made_at[2]);
}

TEST_F(ConsumerTest, EndsWhenTheSubscriptionIsThereWithOtherSettings) {
  subscriptions_.make_ends = {{grpc::StatusCode::ALREADY_EXISTS, "other settings"}};
  ConsumerOptions options = Options();
  options.subscription.mutable_start()->set_position(v1::START_POSITION_FROM_OLDEST);
  Consumer consumer(channel_, options);
  EXPECT_EQ(consumer.Run(Acknowledge).error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_THAT(subscriptions_.requests(), IsEmpty());
}

class ConsumerGivesUp : public ConsumerTest,
                        public ::testing::WithParamInterface<grpc::StatusCode> {};

TEST_P(ConsumerGivesUp, OnWhatARetryCannotHealAndHoldsNothingAfterwards) {
  subscriptions_.Add({{Receiving(), LeasedOf("e1"), LeasedOf("e2")}, {GetParam(), "no"}});
  Consumer consumer(channel_, Options());
  absl::Notification go;
  consumer.Start([&](Delivery&) {
    go.WaitForNotification();
    return Handled::Acknowledge();
  });
  // The first has begun, or not, when the stream ends.
  const auto given_back = In(subscriptions_.AwaitSettled(1));
  EXPECT_THAT(given_back, ::testing::Contains("release lease-e2"));
  go.Notify();
  const grpc::Status status = consumer.Wait();
  EXPECT_EQ(status.error_code(), GetParam());
  EXPECT_EQ(status.error_message(), "no");
  EXPECT_THAT(subscriptions_.requests(), SizeIs(1));
  EXPECT_THAT(waits_, IsEmpty());
  EXPECT_THAT(subscriptions_.AwaitSettled(2), SizeIs(2));
}

INSTANTIATE_TEST_SUITE_P(
    Codes, ConsumerGivesUp,
    ::testing::Values(grpc::StatusCode::INVALID_ARGUMENT, grpc::StatusCode::PERMISSION_DENIED,
                      grpc::StatusCode::UNAUTHENTICATED, grpc::StatusCode::OUT_OF_RANGE,
                      grpc::StatusCode::NOT_FOUND, grpc::StatusCode::UNIMPLEMENTED),
    [](const auto& info) { return CodeName(info.param); });

TEST_F(ConsumerTest, GoesOnBehindWhatRetentionHasRemovedWhenItMay) {
  subscriptions_.Add({{}, {grpc::StatusCode::OUT_OF_RANGE, "overtaken"}});
  AddSilent({Receiving(), LeasedOf("e9")});
  ConsumerOptions options = Options();
  options.skip_expired = true;
  EXPECT_THAT(In(RunUntilSettled(1, Acknowledge, options)), ElementsAre("acknowledge lease-e9"));
  EXPECT_EQ(subscriptions_.requests().front().on_cursor_expired(),
            v1::CURSOR_EXPIRED_POLICY_SKIP_TO_OLDEST);
}

TEST_F(ConsumerTest, EndsItsThreadWithItself) {
  AddSilent({Receiving()});
  Consumer consumer(channel_, Options());
  consumer.Start(Acknowledge);
}

}  // namespace
}  // namespace ipp::client
