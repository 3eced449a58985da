#include <cstdlib>
#include <ctime>

#include "simulator/webhook_signer.h"
#include "tests/simulator/harness.h"

namespace ipp::simulator {
namespace {

using testing::ElementsAre;

constexpr char kSecret[] = "whsec_aXBwLWdhdGV3YXktZXhhbXBsZS1zaWduaW5nLWtleS0=";
constexpr char kNextSecret[] = "whsec_bmV4dC1zZWNyZXQtbmV4dC1zZWNyZXQ=";
constexpr int64_t kSlack = 60;  // seconds

std::string SignedBy(const std::string& secret, const Delivery& delivery) {
  WebhookSigner signer;
  signer.AddSecret(secret);
  return signer.Sign(delivery.id, std::atoll(delivery.timestamp.c_str()), delivery.body);
}

int64_t Age(const Delivery& delivery) {
  return std::time(nullptr) - std::atoll(delivery.timestamp.c_str());
}

// What the receiver gets on the one hand, what /_sim/webhooks says on the other.
class SimulatorWebhookFaults : public SimulatorTest {
 protected:
  void SetUp() override {
    Simulator::Options options;
    options.webhook_urls = {receiver_.url()};
    options.webhook_secrets = {kSecret};
    options.webhook_initial_backoff = std::chrono::milliseconds(1);
    Start(options);
    device_ = NewDevice();
  }

  void Rules(const std::string& rules) {
    const Reply reply = Send("PUT", "/_sim/faults", "{\"faults\":[" + rules + "]}");
    ASSERT_EQ(reply.status, 200) << reply.body;
  }

  std::string NewSession() {
    return At(Post("/ipp/v1/sessions", OrderFor(device_)).Json(), "session_id");
  }

  std::string Truth(int event, const std::string& member, int delivery = 0) {
    return At(Get("/_sim/webhooks").Json(), "events." + std::to_string(event) + ".deliveries." +
                                                std::to_string(delivery) + "." + member);
  }

  // The receiver's answer may be on its way still.
  void AwaitState(int event, const std::string& state, int delivery = 0) {
    for (int tries = 0; tries < 10'000 && Truth(event, "state", delivery) != state; ++tries) {
    }
    EXPECT_EQ(Truth(event, "state", delivery), state);
  }

  // Refuses what a good receiver would.
  Receiver receiver_{[](const Delivery& delivery) {
    const bool good = delivery.signature.find(SignedBy(kSecret, delivery)) != std::string::npos &&
                      std::abs(Age(delivery)) < 300 && delivery.body.size() < 100'000;
    return good ? 200 : 400;
  }};
  std::string device_;
};

TEST_F(SimulatorWebhookFaults, LoseAnEventForGood) {
  Rules(R"({"on":"webhook","type":"ipp.session.activated","do":"lose"})");
  const std::string session = NewSession();
  Tap(session, "SUCCESS");
  const auto deliveries = receiver_.Wait(2);
  EXPECT_EQ(deliveries[0].type(), "ipp.session.created");
  EXPECT_EQ(deliveries[1].type(), "ipp.session.finalized");
  EXPECT_EQ(Truth(1, "state"), "lost");
  EXPECT_EQ(Truth(1, "fault"), "lose");
  EXPECT_EQ(Truth(1, "attempts"), "0");
  EXPECT_EQ(Truth(0, "fault"), "null");
  const auto lost = Get("/_sim/webhooks?state=lost").Json();
  ASSERT_EQ(SizeAt(lost, "events"), 1u);
  EXPECT_EQ(At(lost, "events.0.type"), "ipp.session.activated");
  EXPECT_EQ(At(lost, "total"), "3");
  EXPECT_EQ(SizeAt(Get("/_sim/webhooks?after=1&limit=1").Json(), "events"), 1u);
  EXPECT_EQ(At(Get("/_sim/webhooks?after=1&limit=1").Json(), "events.0.sequence"), "2");
}

TEST_F(SimulatorWebhookFaults, SendALostEventOnDemand) {
  Rules(R"({"on":"webhook","do":"lose"})");
  NewSession();
  const std::string id = At(Get("/_sim/webhooks").Json(), "events.0.event_id");
  EXPECT_EQ(Post("/_sim/webhooks/" + id + "/resend").status, 202);
  EXPECT_EQ(receiver_.Wait(1)[0].event_id(), id);
  AwaitState(0, "delivered");
}

TEST_F(SimulatorWebhookFaults, SendAnEventTwiceUnderOneId) {
  Rules(R"({"on":"webhook","do":"double"},{"on":"webhook","do":"double","delay_ms":20})");
  NewSession();
  NewSession();
  const auto deliveries = receiver_.Wait(4);
  std::map<std::string, int> by_id;
  for (const Delivery& delivery : deliveries) ++by_id[delivery.id + delivery.body];
  EXPECT_EQ(by_id.size(), 2u);
  for (const auto& [id, count] : by_id) EXPECT_EQ(count, 2);
  for (const int event : {0, 1}) {
    AwaitState(event, "delivered", 0);
    AwaitState(event, "delivered", 1);
    EXPECT_EQ(Truth(event, "fault"), "double");
    EXPECT_EQ(Truth(event, "webhook_id", 0), Truth(event, "webhook_id", 1));
  }
}

TEST_F(SimulatorWebhookFaults, LetALateEventBeOvertaken) {
  Rules(R"({"on":"webhook","type":"ipp.session.created","do":"late","delay_ms":1000})");
  const std::string session = NewSession();
  EXPECT_EQ(Truth(0, "state"), "held");
  Tap(session, "SUCCESS");
  const auto deliveries = receiver_.Wait(3);
  EXPECT_EQ(deliveries[0].type(), "ipp.session.activated");
  EXPECT_EQ(deliveries[1].type(), "ipp.session.finalized");
  EXPECT_EQ(deliveries[2].type(), "ipp.session.created");
  AwaitState(0, "delivered");
  EXPECT_EQ(Truth(0, "fault"), "late");
}

TEST_F(SimulatorWebhookFaults, ReorderTwoEvents) {
  Rules(R"({"on":"webhook","type":"ipp.session.created","do":"reorder","delay_ms":600000})");
  const std::string session = NewSession();
  EXPECT_EQ(Truth(0, "state"), "held");
  Tap(session, "LOST_CARD");
  const auto deliveries = receiver_.Wait(3);
  EXPECT_EQ(deliveries[0].type(), "ipp.session.activated");
  AwaitState(0, "delivered");
  EXPECT_EQ(Truth(0, "fault"), "reorder");
}

TEST_F(SimulatorWebhookFaults, ReleaseAReorderedEventInTheEnd) {
  Rules(R"({"on":"webhook","do":"reorder","delay_ms":10})");
  NewSession();
  EXPECT_EQ(receiver_.Wait(1)[0].type(), "ipp.session.created");
}

TEST_F(SimulatorWebhookFaults, SignWronglyOnce) {
  Rules(R"({"on":"webhook","do":"bad_signature"})");
  NewSession();
  const auto deliveries = receiver_.Wait(2);
  EXPECT_NE(deliveries[0].signature, SignedBy(kSecret, deliveries[0]));
  EXPECT_THAT(deliveries[0].signature, testing::MatchesRegex("v1,[^ ]{44}"));
  EXPECT_EQ(deliveries[1].signature, SignedBy(kSecret, deliveries[1]));
  EXPECT_EQ(deliveries[0].id, deliveries[1].id);
  AwaitState(0, "delivered");
  EXPECT_EQ(Truth(0, "attempts"), "2");
  EXPECT_EQ(Truth(0, "fault"), "bad_signature");
}

TEST_F(SimulatorWebhookFaults, RotateTheSecret) {
  const std::string next = std::string(R"("next_secret":")") + kNextSecret + "\"";
  Rules(R"({"on":"webhook","do":"rotated_secret","signed_by":"both",)" + next + "}," +
        R"({"on":"webhook","do":"rotated_secret","signed_by":"next",)" + next + "}");
  NewSession();
  Delivery delivery = receiver_.Wait(1)[0];
  EXPECT_EQ(delivery.signature,
            SignedBy(kNextSecret, delivery) + " " + SignedBy(kSecret, delivery));
  AwaitState(0, "delivered");
  EXPECT_EQ(Truth(0, "attempts"), "1");
  NewSession();
  delivery = receiver_.Wait(3)[1];
  EXPECT_EQ(delivery.signature, SignedBy(kNextSecret, delivery));
  AwaitState(1, "delivered");
  EXPECT_EQ(Truth(1, "attempts"), "2");
  EXPECT_EQ(Truth(1, "fault"), "rotated_secret");
}

TEST_F(SimulatorWebhookFaults, PadABodyThatStaysTheSameEvent) {
  Rules(R"({"on":"webhook","do":"huge","bytes":200000})");
  const std::string session = NewSession();
  const auto deliveries = receiver_.Wait(2);
  EXPECT_EQ(deliveries[0].body.size(), 200'000u);
  EXPECT_EQ(deliveries[0].session_id(), session);
  EXPECT_EQ(deliveries[0].signature, SignedBy(kSecret, deliveries[0]));
  EXPECT_EQ(deliveries[0].event_id(), deliveries[1].event_id());
  AwaitState(0, "delivered");
  EXPECT_EQ(Truth(0, "fault"), "huge");
}

TEST_F(SimulatorWebhookFaults, StampAnotherTime) {
  Rules(R"({"on":"webhook","do":"stale_timestamp"},
           {"on":"webhook","do":"stale_timestamp","age_seconds":-7200})");
  NewSession();
  const auto deliveries = receiver_.Wait(3);
  EXPECT_NEAR(static_cast<double>(Age(deliveries[0])), 3600, kSlack);
  EXPECT_NEAR(static_cast<double>(Age(deliveries[1])), -7200, kSlack);
  EXPECT_NEAR(static_cast<double>(Age(deliveries[2])), 0, kSlack);
  EXPECT_EQ(deliveries[1].signature, SignedBy(kSecret, deliveries[1]));
  AwaitState(0, "delivered");
  EXPECT_EQ(Truth(0, "fault"), "stale_timestamp");
}

TEST_F(SimulatorWebhookFaults, DropWhatIsHeldForAReceiverThatGoes) {
  Rules(R"({"on":"webhook","do":"late","delay_ms":600000})");
  NewSession();
  EXPECT_EQ(At(Get("/_sim/state").Json(), "webhooks.undelivered"), "1");
  EXPECT_EQ(Send("PUT", "/_sim/webhooks", R"({"urls":[]})").status, 204);
  EXPECT_EQ(Truth(0, "state"), "dropped");
  EXPECT_EQ(At(Get("/_sim/state").Json(), "webhooks.undelivered"), "0");
}

TEST_F(SimulatorWebhookFaults, CountAgainstTheTruthWithDice) {
  Rules(R"({"on":"webhook","do":"lose","probability":0.3,"count":0})");
  constexpr int kSessions = 200;
  for (int i = 0; i < kSessions; ++i) NewSession();
  const size_t lost = SizeAt(Get("/_sim/webhooks?state=lost").Json(), "events");
  EXPECT_EQ(At(Get("/_sim/faults").Json(), "faults.0.hits"), std::to_string(lost));
  EXPECT_EQ(At(Get("/_sim/faults").Json(), "faults.0.matches"), std::to_string(kSessions));
  EXPECT_GT(lost, 30u);
  EXPECT_LT(lost, 90u);
  EXPECT_EQ(receiver_.Wait(kSessions - lost).size(), kSessions - lost);
}

class SimulatorTruth : public SimulatorTest {};

TEST_F(SimulatorTruth, HoldsEverySessionWithItsHistory) {
  const std::string first = NewSession();
  const std::string second = NewSession();
  const std::string third = NewSession();
  const std::string order = At(Tap(first, "SUCCESS").Json(), "order_id");
  Tap(second, "LOST_CARD");
  const auto all = Get("/_sim/sessions").Json();
  EXPECT_EQ(At(all, "total"), "3");
  ASSERT_EQ(SizeAt(all, "sessions"), 3u);
  EXPECT_EQ(At(all, "sessions.0.session_id"), first);
  EXPECT_EQ(At(all, "sessions.0.sequence"), "1");
  EXPECT_EQ(At(all, "sessions.0.merchant_id"), kMerchantId);
  EXPECT_EQ(At(all, "sessions.0.status"), "FINALIZED");
  EXPECT_EQ(At(all, "sessions.0.order_id"), order);
  EXPECT_EQ(At(all, "sessions.0.merchant_reference1"), "SHOP-1001");
  EXPECT_EQ(At(all, "sessions.0.history.0.status"), "CREATED");
  EXPECT_EQ(At(all, "sessions.0.history.1.status"), "ACTIVE");
  EXPECT_EQ(At(all, "sessions.0.history.2.status"), "FINALIZED");
  EXPECT_EQ(At(all, "sessions.1.status"), "ACTIVE");
  EXPECT_EQ(SizeAt(all, "sessions.1.history"), 2u);
  EXPECT_EQ(At(all, "sessions.2.order_id"), "null");

  const auto page = Get("/_sim/sessions?after=1&limit=1").Json();
  ASSERT_EQ(SizeAt(page, "sessions"), 1u);
  EXPECT_EQ(At(page, "sessions.0.session_id"), second);
  EXPECT_EQ(SizeAt(Get("/_sim/sessions?after=3").Json(), "sessions"), 0u);
  EXPECT_EQ(SizeAt(Get("/_sim/sessions?merchant_reference1=SHOP-1001").Json(), "sessions"), 3u);
  EXPECT_EQ(SizeAt(Get("/_sim/sessions?merchant_reference1=SHOP-1").Json(), "sessions"), 0u);
}

TEST_F(SimulatorTruth, LetsSessionsExpireBeforeItShowsThem) {
  NewSession();
  Post("/_sim/clock/advance", R"({"seconds":3601})");
  const auto all = Get("/_sim/sessions").Json();
  EXPECT_EQ(At(all, "sessions.0.status"), "EXPIRED");
  EXPECT_EQ(At(all, "sessions.0.history.1.status"), "EXPIRED");
}

}  // namespace
}  // namespace ipp::simulator
