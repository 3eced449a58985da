// The client library's Payment and EventReader over the real gateway.

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "ippclient/ippclient.h"
#include "kustom/ipp/v1/outcome.grpc.pb.h"
#include "tests/support/gateway_streams.h"
#include "tests/support/gateway_under_test.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;
using client::Money;
using client::PaymentEnd;
using testing::ElementsAre;

constexpr char kLoseTheAnswer[] = R"({"on": "create_session", "do": "reset_after_read"})";
constexpr char kLoseTheWebhook[] =
    R"({"on": "webhook", "type": "ipp.session.created", "do": "lose"})";

class Payments : public testing::Test {
 protected:
  Payments() {
    options_.on_step = [this](const v1::WatchSessionResponse& step) {
      steps_.push_back(ShortName(step.session().status()) +
                       (step.failure_reason().empty() ? "" : " " + step.failure_reason()));
      if (on_step_) on_step_(step.session());
    };
  }
  v1::CreateSessionRequest Order() {
    return Text<v1::CreateSessionRequest>(OrderText(bed_.NewDevice()));
  }
  client::Payment& NewPayment(const v1::CreateSessionRequest& order) {
    payment_ = std::make_unique<client::Payment>(bed_.gateway.channel(), order, options_);
    return *payment_;
  }
  void Break(const std::vector<std::string>& rules) {
    std::string list;
    for (const std::string& rule : rules) absl::StrAppend(&list, list.empty() ? "" : ",", rule);
    bed_.simulator.Control("PUT", "/_sim/faults", absl::StrCat(R"({"faults": [)", list, "]}"));
  }
  int Posts() {
    const auto requests = bed_.simulator.Requests();
    return static_cast<int>(std::count_if(requests.begin(), requests.end(), [](const auto& r) {
      return r.call() == "POST /ipp/v1/sessions";
    }));
  }

  GatewayBed bed_;
  client::PaymentOptions options_;
  std::function<void(const v1::Session&)> on_step_;
  std::vector<std::string> steps_;
  std::unique_ptr<client::Payment> payment_;
};

TEST_F(Payments, OfADeclinedCardAndAGoodOneArePaid) {
  on_step_ = [this](const v1::Session& session) {
    if (steps_.size() == 1) bed_.Tap(session.session_id(), "EXPIRED_CARD");
    if (steps_.back() == "ACTIVE expired_card") bed_.Tap(session.session_id());
  };
  const client::PaymentResult result = NewPayment(Order()).Collect();
  EXPECT_EQ(result.end, PaymentEnd::kPaid);
  EXPECT_EQ(result.money, Money::kPaid);
  EXPECT_NE(result.session.order_id(), "");
  EXPECT_THAT(steps_, ElementsAre("CREATED", "ACTIVE", "ACTIVE expired_card", "FINALIZED"));
}

TEST_F(Payments, ThatKustomRefusesAreNotCreated) {
  auto order = Text<v1::CreateSessionRequest>(OrderText(kNobody));
  const client::PaymentResult result = NewPayment(order).Collect();
  EXPECT_EQ(result.end, PaymentEnd::kNotCreated);
  EXPECT_EQ(result.money, Money::kNotPaid);
  EXPECT_EQ(client::DecodeError(result.status).outcome, client::Outcome::kRejected);
}

TEST_F(Payments, ThatAreCancelledAreCancelledAtKustom) {
  std::string id;
  on_step_ = [&](const v1::Session& session) {
    id = session.session_id();
    payment_->Cancel();
  };
  EXPECT_EQ(NewPayment(Order()).Collect().end, PaymentEnd::kCancelled);
  v1::GetSessionRequest get;
  get.set_session_id(id);
  const auto session = bed_.Call(&v1::SessionService::Stub::GetSession, get);
  EXPECT_EQ(session.response.session().status(), v1::SESSION_STATUS_CANCELLED);
}

TEST_F(Payments, ThatWereFasterThanTheirCancelArePaid) {
  bed_.simulator.SetWebhookUrl("");  // it is not announced
  on_step_ = [this](const v1::Session& session) {
    if (steps_.size() > 1) return;
    bed_.Tap(session.session_id());
    payment_->Cancel();
  };
  const client::PaymentResult result = NewPayment(Order()).Collect();
  EXPECT_EQ(result.end, PaymentEnd::kPaid);
  EXPECT_NE(result.session.order_id(), "");
}

TEST_F(Payments, WhoseCreatesAnswerWasLostAreFollowedAllTheSame) {
  auto order = Order();
  Break({kLoseTheAnswer});
  on_step_ = [this](const v1::Session& session) {
    if (steps_.size() == 1) bed_.Tap(session.session_id());
  };
  EXPECT_EQ(NewPayment(order).Collect().end, PaymentEnd::kPaid);
  EXPECT_EQ(Posts(), 1);
}

TEST_F(Payments, OfUnknownOutcomeAreFollowedOnceTheyTurnUp) {
  auto order = Order();
  Break({kLoseTheAnswer, kLoseTheWebhook});
  options_.create_timeout = absl::Seconds(1);
  on_step_ = [this](const v1::Session& session) {
    if (steps_.size() == 1) bed_.Tap(session.session_id());
  };
  std::thread world([this] {
    bed_.gateway.WaitForMetric("grpc_server_started_total", 1, {R"(grpc_method="WatchSession")"});
    bed_.simulator.Resend(bed_.simulator.Webhooks().front().event_id);
  });
  const client::PaymentResult result = NewPayment(order).Collect();
  world.join();
  EXPECT_EQ(result.end, PaymentEnd::kPaid) << result.status.error_message();
  EXPECT_EQ(Posts(), 1);
}

TEST_F(Payments, OfAnOutcomeThatNobodyLearnsAreNotKnown) {
  auto order = Order();
  Break({R"({"on": "create_session", "do": "error_before"})"});
  options_.create_timeout = absl::Seconds(1);
  options_.timeout = absl::Seconds(2);
  options_.stop_timeout = absl::Milliseconds(500);
  const client::PaymentResult result = NewPayment(order).Collect();
  EXPECT_EQ(result.end, PaymentEnd::kStopped);
  EXPECT_EQ(result.money, Money::kNotKnown);
  EXPECT_EQ(client::DecodeError(result.status).reason, "OUTCOME_UNKNOWN");
  EXPECT_EQ(Posts(), 1);
}

TEST_F(Payments, ThatResumeGoOnWithTheSameSession) {
  auto order = Order();
  order.set_request_id(client::NewRequestId());
  options_.on_stop = client::PaymentOptions::OnStop::kLeaveSession;
  on_step_ = [this](const v1::Session&) { payment_->Cancel(); };
  const client::PaymentResult before = NewPayment(order).Collect();
  EXPECT_EQ(before.end, PaymentEnd::kStopped);
  EXPECT_EQ(before.money, Money::kNotKnown);

  options_.resumed = true;
  on_step_ = nullptr;
  bed_.Tap(before.session.session_id());
  const client::PaymentResult after = NewPayment(order).Collect();
  EXPECT_EQ(after.end, PaymentEnd::kPaid);
  EXPECT_EQ(after.session.session_id(), before.session.session_id());
  EXPECT_EQ(Posts(), 1);
}

TEST_F(Payments, AreReadFromTheLogStepByStepAndGoneOnWith) {
  const auto next = [this](const std::string& cursor) {
    client::SubscriptionOptions options;
    cursor.empty() ? options.request.set_position(v1::START_POSITION_FROM_OLDEST)
                   : options.request.set_after_cursor(cursor);
    client::EventReader reader(bed_.gateway.channel(), options);
    return reader.Next(absl::InfiniteDuration()).event;
  };
  bed_.Tap(bed_.NewSession());
  std::string cursor;
  std::vector<std::string> types;
  for (int i = 0; i < 3; ++i) {
    const v1::SessionEvent event = next(cursor);
    types.push_back(ShortName(event.type()));
    cursor = event.cursor();
  }
  EXPECT_THAT(types, ElementsAre("CREATED", "ACTIVATED", "FINALIZED"));
}

}  // namespace
}  // namespace ipp
