#include "client/handled.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "client/proto_duration.h"
#include "client/settler.h"

namespace ipp::client {
namespace {

namespace v1 = ::kustom::ipp::v1;
using ::testing::HasSubstr;

struct OwnError {};

v1::Settlement By(const Consumer::Handler& handler) {
  const ConsumerOptions options;
  const auto stub = v1::SharedSubscriptionService::NewStub(
      grpc::CreateChannel("localhost:1", grpc::InsecureChannelCredentials()));
  Settler settler(stub.get(), options);
  Delivery delivery(std::make_shared<Lease>(Lease{.leased = {}, .length = {}}), &settler);
  return SettlementBy(handler, delivery);
}

TEST(Handled, SaysWhatTheHandlerSays) {
  EXPECT_TRUE(By([](Delivery&) { return Handled::Acknowledge(); }).has_acknowledge());
  EXPECT_TRUE(By([](Delivery&) { return Handled::Release(); }).has_release());
  EXPECT_EQ(By([](Delivery&) { return Handled::Park("no such order"); }).park().reason(),
            "no such order");
  const v1::RetryEvent retry =
      By([](Delivery&) { return Handled::Retry("not yet", absl::Milliseconds(7500)); }).retry();
  EXPECT_EQ(retry.reason(), "not yet");
  EXPECT_EQ(FromProto(retry.delay()), absl::Milliseconds(7500));
}

TEST(Handled, LeavesTheDelayToTheGatewayUnlessItIsGiven) {
  EXPECT_FALSE(Handled::Retry("not yet").settlement().retry().has_delay());
  EXPECT_TRUE(Handled::Retry("", absl::ZeroDuration()).settlement().retry().has_delay());
}

TEST(Handled, AsksForNoDelayThatTheGatewayRefuses) {
  const auto delay = [](absl::Duration asked) {
    return FromProto(Handled::Retry("", asked).settlement().retry().delay());
  };
  EXPECT_EQ(delay(absl::Hours(2)), absl::Hours(1));
  EXPECT_EQ(delay(absl::InfiniteDuration()), absl::Hours(1));
  EXPECT_EQ(delay(-absl::Seconds(1)), absl::ZeroDuration());
}

TEST(Handled, TakesAStatus) {
  EXPECT_TRUE(By([](Delivery&) { return absl::OkStatus(); }).has_acknowledge());
  const v1::Settlement failed =
      By([](Delivery&) { return absl::UnavailableError("the password is hunter2"); });
  EXPECT_EQ(failed.retry().reason(), "UNAVAILABLE");
}

TEST(Handled, SendsOnlyTheTypeOfWhatIsThrown) {
  const auto thrown = [](auto what) {
    return By([&](Delivery&) -> Handled { throw what; }).retry().reason();
  };
  EXPECT_EQ(thrown(std::runtime_error("the password is hunter2")), "std::runtime_error");
  EXPECT_EQ(thrown(1), "int");
  EXPECT_THAT(thrown(OwnError{}), HasSubstr("OwnError"));
}

TEST(Handled, CutsAReasonToWhatTheGatewayTakes) {
  const std::string thousand(1023, 'x');
  EXPECT_EQ(Handled::Park(thousand + "yz").settlement().park().reason(), thousand + "y");
  EXPECT_EQ(Handled::Park(thousand + "å").settlement().park().reason(), thousand)
      << "no half character";
  EXPECT_EQ(Handled::Park("a\xff\xc3"
                          "b€\xe2\x82")
                .settlement()
                .park()
                .reason(),
            "ab€");
}

}  // namespace
}  // namespace ipp::client
