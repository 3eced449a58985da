#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/ippctl/look.h"
#include "client/ippctl/text.h"
#include "tests/client/ippctl_fixture.h"

// What a person sees: everything fits the terminal, no id is cut, and every colour can be read.
namespace ipp::ippctl {
namespace {

using ::testing::HasSubstr;

constexpr char kSession[] = "3f1c2b7a-0a51-4b0e-9d39-1f0d9f0f6a11";
constexpr char kOrder[] = "5a3c2b7a-0a51-4b0e-9d39-1f0d9f0f6a22";
constexpr char kRequest[] = "7c1c2b7a-0a51-4b0e-9d39-1f0d9f0f6a33";
constexpr int64_t kThen = 1'769'846'400;  // 2026-01-31T08:00:00Z

// Paid, and with ids as long as those of the gateway.
v1::Session Paid() {
  v1::Session session;
  session.set_session_id(kSession);
  session.set_order_id(kOrder);
  session.set_device_id(kRequest);
  session.set_status(v1::SESSION_STATUS_FINALIZED);
  session.set_order_amount(1'234'567);
  session.set_purchase_currency("SEK");
  session.set_merchant_reference1("a reference of the shop that is longer than most");
  return session;
}

v1::SubscribeSessionEventsResponse Declined() {
  auto message = client::EventOf("e-1");
  v1::SessionEvent& event = *message.mutable_event();
  event.set_type(v1::SESSION_EVENT_TYPE_PAYMENT_FAILED);
  event.set_session_id(kSession);
  event.set_order_id(kOrder);
  event.mutable_occurred_at()->set_seconds(kThen);
  *event.mutable_session() = Paid();
  return message;
}

class Screen : public IppctlTest,
               public ::testing::WithParamInterface<std::tuple<int, absl::TimeZone>> {
 protected:
  Screen() {
    gateway_.history.list = [](auto*, const auto&, auto* response) {
      v1::KnownSession& known = *response->add_sessions();
      *known.mutable_session() = Paid();
      known.mutable_created_at()->set_seconds(kThen);
      return grpc::Status::OK;
    };
    gateway_.history.get = [](auto*, const auto&, auto* response) {
      *response->mutable_session()->mutable_session() = Paid();
      v1::SessionHistoryEntry& asked = *response->add_entries();
      asked.mutable_at()->set_seconds(kThen);
      asked.mutable_create_asked()->set_caller("order-service");
      asked.mutable_create_asked()->set_request_id(kRequest);
      return grpc::Status::OK;
    };
    gateway_.reports.day = [](auto*, const auto&, auto* response) {
      v1::DeviceDayTotal& device = *response->add_devices();
      device.set_device_id(kRequest);
      v1::DayTotal& total = *device.add_totals();
      total.set_currency("SEK");
      total.set_paid_count(3);
      total.set_paid_amount(1'234'567);
      total.set_webhook_lost_count(1);
      return grpc::Status::OK;
    };
    gateway_.outcomes.list = [](auto*, const auto&, auto* response) {
      v1::CreateOutcome& outcome = *response->add_outcomes();
      outcome.set_request_id(kRequest);
      outcome.set_rpc("CreateSimulatedDevice");
      outcome.set_state(v1::CREATE_STATE_UNDER_WAY);
      outcome.mutable_created_at()->set_seconds(kThen);
      return grpc::Status::OK;
    };
    gateway_.devices.list = [](auto*, const auto&, auto* response) {
      v1::Device& device = *response->add_devices();
      device.set_id(kRequest);
      device.set_name("Kassa 2 – Überraschung i butiken på Drottninggatan 日本の店");
      device.mutable_created_at()->set_seconds(kThen);
      return grpc::Status::OK;
    };
    gateway_.sessions.watch = [](const auto&, auto* writer) {
      v1::WatchSessionResponse step;
      *step.mutable_session() = Paid();
      writer->Write(step);
      return grpc::Status::OK;
    };
    gateway_.sessions.get = [](auto*, const auto&, auto*) {
      return client::GatewayError(
          MakeError(absl::StatusCode::kNotFound,
                    "the upstream answered 404: Session not found, as far as it can see.",
                    {.reason = "NOT_FOUND", .metadata = {{"outcome", "REJECTED"}}}));
    };
    *events_.list_response.add_events() = Declined().event();
    events_.Add({{client::StartedAt("c-0"), Declined()}, grpc::Status::OK, /*silent=*/true});
    events_.Add({{client::StartedAt("c-0"), Declined()}, {grpc::StatusCode::NOT_FOUND, "over"}});
  }

  int width() const { return std::get<0>(GetParam()); }

  // Both outputs, as on a terminal.
  std::string On(const std::string& command) {
    std::istringstream in;
    std::ostringstream out;
    Interrupt interrupt;
    Environment environment{in, out, out, [](const std::string&) { return std::string(); },
                            &interrupt};
    environment.look = {.zone = std::get<1>(GetParam()), .width = width()};
    environment.err_width = width();
    std::vector<std::string> args = absl::StrSplit(command, ' ');
    args.insert(args.end(), {"--address", gateway_.address()});
    RunIppctl(args, environment);
    return out.str();
  }
  void ExpectFits(const std::string& command, const std::vector<std::string>& whole) {
    const std::string screen = On(command);
    for (const std::string& text : whole) EXPECT_THAT(screen, HasSubstr(text)) << command;
    for (const absl::string_view line : absl::StrSplit(screen, '\n')) {
      EXPECT_LE(DisplayWidth(line), static_cast<size_t>(width())) << command << "\n" << line;
    }
  }
};

TEST_P(Screen, FitsWhatIsPrintedAndCutsNoId) {
  const std::string amount = "12345.67 SEK";
  ExpectFits("sessions list", {kSession, "FINALIZED", amount, "01-31"});
  ExpectFits("events list", {kSession, "PAYMENT_FAILED", "01-31"});
  ExpectFits("events tail --limit 1", {kSession, "PAYMENT_FAILED", "01-31"});
  ExpectFits("sessions watch s-1", {kOrder, "FINALIZED", amount});
  ExpectFits("sessions explain s-1", {kSession, "01-31", "create asked for"});
  ExpectFits("report day", {kRequest, amount, "WEBHOOK LOST"});
  ExpectFits("webhooks listen", {kSession, "ipp.payment.failed"});
  ExpectFits("sessions outcomes", {kRequest, "UNDER_WAY"});
  ExpectFits("devices list", {kRequest, "Kassa 2"});
  ExpectFits("sessions get s-1", {"what to do: look at the id", "--request-id"});
}

INSTANTIATE_TEST_SUITE_P(Terminals, Screen,
                         ::testing::Combine(::testing::Values(80, 120, 200),
                                            ::testing::Values(absl::UTCTimeZone(),
                                                              absl::FixedTimeZone(3600))),
                         [](const auto& info) {
                           return absl::StrCat(std::get<0>(info.param), "Columns",
                                               info.index % 2 == 0 ? "Utc" : "Local");
                         });

using WideScreen = Screen;

TEST_P(WideScreen, CutsNothing) {
  EXPECT_THAT(On("sessions list -o wide"), HasSubstr(Paid().merchant_reference1()));
  EXPECT_THAT(On("sessions list -o wide"), HasSubstr("2026-01-31T"));
  EXPECT_THAT(On("events list -o wide"), HasSubstr(std::string("order ") + kOrder));
}

INSTANTIATE_TEST_SUITE_P(Terminals, WideScreen,
                         ::testing::Values(std::make_tuple(80, absl::UTCTimeZone())));

// Black, yellow and white, and the bright ones, cannot be read on every ground.
TEST(Colours, CanBeReadOnLightAndDark) {
  for (const Paint paint : {Paint::kBold, Paint::kDim, Paint::kGood, Paint::kBad, Paint::kOpen}) {
    EXPECT_THAT(Painted("x", paint, true),
                ::testing::AnyOf("\x1b[1mx\x1b[0m", "\x1b[2mx\x1b[0m", "\x1b[31mx\x1b[0m",
                                 "\x1b[32mx\x1b[0m", "\x1b[35mx\x1b[0m"));
  }
}

}  // namespace
}  // namespace ipp::ippctl
