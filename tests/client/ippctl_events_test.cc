#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "absl/time/clock.h"
#include "tests/client/ippctl_fixture.h"
#include "tests/client/temporary_folder.h"

namespace ipp::ippctl {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
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

constexpr char kPaidRow[] =
    "2026-01-31T08:00:00Z  FINALIZED  3f1c2b7a-0a51-4b0e-9d39-1f0d9f0f6a11  250.00 SEK  "
    "order o-1  (found out by reading)\n";
constexpr char kPaidTable[] =
    "TIME                  TYPE       SESSION                               AMOUNT      NOTE\n"
    "2026-01-31T08:00:00Z  FINALIZED  3f1c2b7a-0a51-4b0e-9d39-1f0d9f0f6a11  250.00 SEK  "
    "order o-1  (found out by reading)\n";
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
  EXPECT_EQ(err_, "ippctl: ready, waiting for events; Ctrl-C ends it\nlast cursor: c-e-1\n");
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
  EXPECT_THAT(err_, MatchesRegex("ippctl: ready, waiting for events; Ctrl-C ends it\n"
                                 "ippctl: UNAVAILABLE: gone; again in [0-9.]+ms\n"
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
  EXPECT_EQ(run.err,
            "ippctl: OUT_OF_RANGE (CURSOR_EXPIRED): too old\noldest_cursor: c-7\n"
            "retry: correct it first\n"
            "what to do: go on with --after and the oldest cursor, or with --skip-expired; then "
            "read the sessions that you hold open\n");
}

TEST_F(IppctlEvents, TailKeepsItsCursorInAFileAndGoesOnThere) {
  const TemporaryFolder folder;
  const std::vector<std::string> args = {"events", "tail",   "--limit",       "1",
                                         "--from", "oldest", "--cursor-file", folder / "cursor"};
  events_.Add({{client::StartedAt("c-0"), PaidEvent()}, grpc::Status::OK, /*silent=*/true});
  Out(args);
  EXPECT_EQ(folder.Read("cursor"), "c-e-1\n");
  events_.Add({{client::StartedAt("c-e-1"), client::HeartbeatAt("c-9")},
               {grpc::StatusCode::NOT_FOUND, "over"}});
  EXPECT_EQ(RunAt(gateway_.address(), args).exit_code, 4);
  EXPECT_EQ(folder.Read("cursor"), "c-9\n");
  EXPECT_EQ(events_.requests()[0].position(), v1::START_POSITION_FROM_OLDEST);
  EXPECT_EQ(events_.requests()[1].after_cursor(), "c-e-1");
}

TEST_F(IppctlEvents, TailDoesNotPassAnEventThatItCouldNotPrint) {
  const TemporaryFolder folder;
  events_.Add({{client::StartedAt("c-0"), PaidEvent()}, grpc::Status::OK, /*silent=*/true});
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  out.setstate(std::ios::badbit);
  Interrupt interrupt;
  const auto getenv = [](const std::string&) { return std::string(); };
  EXPECT_EQ(RunIppctl({"--address", gateway_.address(), "events", "tail", "--cursor-file",
                       folder / "cursor"},
                      {in, out, err, getenv, &interrupt}),
            1);
  EXPECT_EQ(err.str(),
            "ippctl: ready, waiting for events; Ctrl-C ends it\n"
            "last cursor: c-0\nippctl: cannot write to standard output\n");
  EXPECT_EQ(folder.Read("cursor"), "c-0\n");
}

TEST_F(IppctlEvents, TailEndsWhenItCannotKeepItsCursor) {
  events_.Add({{client::StartedAt("c-0"), PaidEvent()}, grpc::Status::OK, /*silent=*/true});
  const RunResult run =
      RunAt(gateway_.address(), {"events", "tail", "--cursor-file", "/nowhere/cursor"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err, EndsWith("ippctl: cannot write the cursor file /nowhere/cursor\n"));
}

TEST_F(IppctlEvents, ListReadsHistoryOverPages) {
  *events_.list_response.add_events() = PaidEvent().event();
  events_.second_page_token = "p2";
  EXPECT_EQ(Out({"events", "list", "--from", "2026-01-31T08:00:00Z", "--limit", "2"}),
            std::string(kPaidTable) + kPaidRow);
  ASSERT_EQ(events_.list_requests.size(), 2u);
  EXPECT_EQ(events_.list_requests[0].start_time().seconds(), 1'769'846'400);
  EXPECT_EQ(events_.list_requests[0].page_size(), 2);
  EXPECT_EQ(events_.list_requests[1].page_token(), "p2");
  EXPECT_EQ(events_.list_requests[1].page_size(), 1);
}

TEST_F(IppctlEvents, ListSaysThatMoreFollows) {
  *events_.list_response.add_events() = PaidEvent().event();
  events_.second_page_token = "p2";
  EXPECT_EQ(Out({"events", "list", "--limit", "1"}), kPaidTable);
  EXPECT_EQ(err_, "ippctl: more follows: raise --limit\n");
}

TEST_F(IppctlEvents, ListInEachFormat) {
  *events_.list_response.add_events() = PaidEvent().event();
  EXPECT_THAT(Out({"events", "list", "-o", "json"}), HasSubstr("{\n \"events\": [\n"));
  EXPECT_THAT(Out({"events", "list", "-o", "ndjson"}),
              MatchesRegex("\\{\"event_id\":\"e-1\".*\\}\n"));
  EXPECT_EQ(Out({"events", "list", "-o", "name"}), "event/e-1\n");
  EXPECT_EQ(Out({"events", "list", "-o", "jsonpath={.events[*].session.order_amount}"}), "25000\n");
  EXPECT_THAT(Out({"events", "list", "-o", "yaml"}), HasSubstr("events:\n  - event_id: e-1\n"));
  EXPECT_THAT(Out({"events", "list", "-o", "wide"}), HasSubstr("EVENT\n"));
}

TEST_F(IppctlEvents, SinceIsATimeAgo) {
  events_.Add({{client::StartedAt("c-0"), PaidEvent()}, grpc::Status::OK, /*silent=*/true});
  const int64_t before = absl::ToUnixSeconds(absl::Now());
  Out({"events", "tail", "--limit", "1", "--since", "1h"});
  Out({"events", "list", "--since", "1h"});
  EXPECT_NEAR(static_cast<double>(events_.requests()[0].start_time().seconds()),
              static_cast<double>(before - 3600), 60);
  EXPECT_NEAR(static_cast<double>(events_.list_requests[0].start_time().seconds()),
              static_cast<double>(before - 3600), 60);
}

TEST_F(IppctlEvents, TailFirstPrintsTheLastOfThePastAndGoesOnBehindThem) {
  *events_.list_response.add_events() = PaidEvent().event();
  *events_.list_response.add_events() = PaidEvent().event();
  events_.list_response.mutable_events(1)->set_cursor("c-last");
  events_.Add({{client::StartedAt("c-last")}, {grpc::StatusCode::NOT_FOUND, "over"}});
  const RunResult run = RunAt(gateway_.address(), {"events", "tail", "--tail", "1"});
  EXPECT_EQ(run.out, kPaidLine);
  EXPECT_EQ(events_.requests()[0].after_cursor(), "c-last");
  EXPECT_EQ(Out({"events", "list", "--tail", "1"}), kPaidTable);
}

}  // namespace
}  // namespace ipp::ippctl
