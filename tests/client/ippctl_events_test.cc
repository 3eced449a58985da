#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/ippctl_fixture.h"

namespace ipp::ippctl {
namespace {

using ::testing::ElementsAre;
using ::testing::MatchesRegex;

class IppctlEvents : public IppctlTest {};

v1::SubscribeSessionEventsResponse PaidEvent() {
  auto message = client::EventOf("e-1");
  v1::SessionEvent& event = *message.mutable_event();
  event.set_type(v1::SESSION_EVENT_TYPE_FINALIZED);
  event.set_session_id("3f1c2b7a-0a51-4b0e-9d39-1f0d9f0f6a11");
  event.set_order_id("o-1");
  event.mutable_occurred_at()->set_seconds(1'769'846'400);
  event.mutable_session()->set_order_amount(25000);
  event.mutable_session()->set_purchase_currency("SEK");
  event.set_source(v1::SESSION_EVENT_SOURCE_RECONCILIATION);
  return message;
}

constexpr char kPaidLine[] =
    "2026-01-31T08:00:00Z  FINALIZED       3f1c2b7a-0a51-4b0e-9d39-1f0d9f0f6a11  250.00 SEK    "
    "order o-1  (found out by reading)\n";

TEST_F(IppctlEvents, TailPrintsEventsAndTheLastCursor) {
  events_.Add({{client::StartedAt("c-0"), PaidEvent()}, grpc::Status::OK, /*silent=*/true});
  EXPECT_EQ(Out({"events",
                 "tail",
                 "--limit",
                 "1",
                 "--after",
                 "c-0",
                 "--skip-expired",
                 "--session",
                 "s-1",
                 "--device",
                 "d-1",
                 "--type",
                 "payment_failed",
                 "--type",
                 "finalized",
                 "--reference",
                 "A-1",
                 "--only-merchant",
                 "PM1",
                 "--heartbeat",
                 "1.5s"}),
            kPaidLine);
  EXPECT_EQ(err_, "last cursor: c-e-1\n");
  const auto request = events_.requests().front();
  EXPECT_EQ(request.after_cursor(), "c-0");
  EXPECT_EQ(request.on_cursor_expired(), v1::CURSOR_EXPIRED_POLICY_SKIP_TO_OLDEST);
  EXPECT_EQ(request.heartbeat_interval().seconds(), 1);
  EXPECT_EQ(request.heartbeat_interval().nanos(), 500'000'000);
  EXPECT_THAT(request.filter().session_ids(), ElementsAre("s-1"));
  EXPECT_THAT(request.filter().device_ids(), ElementsAre("d-1"));
  EXPECT_THAT(request.filter().types(),
              ElementsAre(v1::SESSION_EVENT_TYPE_PAYMENT_FAILED, v1::SESSION_EVENT_TYPE_FINALIZED));
  EXPECT_THAT(request.filter().merchant_reference1s(), ElementsAre("A-1"));
  EXPECT_THAT(request.filter().merchant_ids(), ElementsAre("PM1"));
}

TEST_F(IppctlEvents, TailStartsWhereItIsTold) {
  for (int i = 0; i < 3; ++i) {
    events_.Add({{client::StartedAt("c-0"), PaidEvent()}, grpc::Status::OK, /*silent=*/true});
  }
  Out({"events", "tail", "--limit", "1"});
  Out({"events", "tail", "--limit", "1", "--from", "oldest"});
  const std::string json =
      Out({"events", "tail", "--limit", "1", "--from", "2026-01-31T08:00:00.5Z", "-o", "json"});
  EXPECT_THAT(json, MatchesRegex("\\{\"event_id\":\"e-1\".*\"cursor\":\"c-e-1\"\\}\n"));
  const auto requests = events_.requests();
  EXPECT_EQ(requests[0].position(), v1::START_POSITION_FROM_NOW);
  EXPECT_EQ(requests[1].position(), v1::START_POSITION_FROM_OLDEST);
  EXPECT_EQ(requests[2].start_time().seconds(), 1'769'846'400);
  EXPECT_EQ(requests[2].start_time().nanos(), 500'000'000);
}

TEST_F(IppctlEvents, TailEndsWithSuccessOnCtrlC) {
  events_.Add({{client::StartedAt("c-0")}, grpc::Status::OK, /*silent=*/true});
  Interrupt interrupt;
  interrupt.Trigger();
  const RunResult run = RunAt(gateway_.address(), {"events", "tail"}, "", &interrupt);
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(run.out, "");
}

TEST_F(IppctlEvents, TailReconnectsAndSaysSo) {
  events_.Add({{client::StartedAt("c-0"), client::GoodbyeAt("c-5")}, client::Unavailable()});
  events_.Add({{client::StartedAt("c-5"), PaidEvent()}, grpc::Status::OK, /*silent=*/true});
  EXPECT_EQ(Out({"events", "tail", "--limit", "1"}), kPaidLine);
  EXPECT_THAT(err_, MatchesRegex("ippctl: UNAVAILABLE: gone; again in [0-9.]+ms\n"
                                 "ippctl: connected again\n"
                                 "last cursor: c-e-1\n"));
  EXPECT_EQ(events_.requests()[1].after_cursor(), "c-5");
}

TEST_F(IppctlEvents, TailGivesUpOnAnExpiredCursorWithTheWayOut) {
  events_.Add({{},
               client::GatewayError(MakeError(absl::StatusCode::kOutOfRange, "too old",
                                              {.reason = "CURSOR_EXPIRED",
                                               .metadata = {{"oldest_cursor", "c-7"}},
                                               .violations = {},
                                               .retry_after = std::nullopt}))});
  const RunResult run = RunAt(gateway_.address(), {"events", "tail", "--after", "c-1"});
  EXPECT_EQ(run.exit_code, 3);
  EXPECT_EQ(run.err, "ippctl: OUT_OF_RANGE (CURSOR_EXPIRED): too old\noldest_cursor: c-7\n");
}

TEST_F(IppctlEvents, ListReadsHistoryOverPages) {
  *events_.list_response.add_events() = PaidEvent().event();
  events_.second_page_token = "p2";
  EXPECT_EQ(Out({"events", "list", "--from", "2026-01-31T08:00:00Z", "--limit", "2"}),
            std::string(kPaidLine) + kPaidLine);
  ASSERT_EQ(events_.list_requests.size(), 2u);
  EXPECT_EQ(events_.list_requests[0].start_time().seconds(), 1'769'846'400);
  EXPECT_EQ(events_.list_requests[0].page_size(), 2);
  EXPECT_EQ(events_.list_requests[1].page_token(), "p2");
  EXPECT_EQ(events_.list_requests[1].page_size(), 1);
}

}  // namespace
}  // namespace ipp::ippctl
