#include <cstdlib>
#include <ctime>

#include "simulator/uri.h"
#include "simulator/webhook_signer.h"
#include "tests/simulator/harness.h"

namespace ipp::simulator {
namespace {

using testing::ElementsAre;
using testing::MatchesRegex;

constexpr char kVectorSecret[] = "whsec_aXBwLWdhdGV3YXktZXhhbXBsZS1zaWduaW5nLWtleS0=";

TEST(SimulatorWebhookSigner, SignsTheTestVector) {
  WebhookSigner signer;
  ASSERT_TRUE(signer.AddSecret(kVectorSecret));
  EXPECT_EQ(
      signer.Sign("msg_example_0001", 1790000000,
                  R"({"id":"kevt_0000000000000000000001","merchant_id":"DM00000001",)"
                  R"("timestamp":"2026-09-21T14:13:20.000000001Z",)"
                  R"("type":"ipp.session.finalized",)"
                  R"("data":{"session_id":"11111111-1111-4111-8111-111111111111",)"
                  R"("order_id":"22222222-2222-4222-8222-222222222222","failure_reason":null}})"),
      "v1,8z9mtFqdlOMp0s3dfzdz2zjTjKLyHGOsevAnQObEECY=");
}

TEST(SimulatorWebhookSigner, RefusesWhatIsNoSecret) {
  WebhookSigner signer;
  for (const char* text : {"", "whsec_", "aXBw", "whsec_a", "whsec_****", "WHSEC_aXBw"}) {
    EXPECT_FALSE(signer.AddSecret(text)) << text;
  }
  EXPECT_TRUE(signer.empty());
}

class SimulatorUrl : public testing::TestWithParam<std::pair<std::string, std::string>> {};

TEST_P(SimulatorUrl, IsTakenApart) {
  const auto url = Url::Parse(GetParam().first);
  EXPECT_EQ(url ? url->host + " " + url->port + " " + url->target : "refused", GetParam().second);
}

INSTANTIATE_TEST_SUITE_P(
    Table, SimulatorUrl,
    testing::Values(std::pair("http://127.0.0.1:8080/webhooks/kustom?a=b",
                              "127.0.0.1 8080 /webhooks/kustom?a=b"),
                    std::pair("http://gateway", "gateway 80 /"),
                    std::pair("https://gateway/", "refused"), std::pair("gateway:80", "refused"),
                    std::pair("http://", "refused"), std::pair("http://:80/", "refused"),
                    std::pair("http://a:0/", "refused"), std::pair("http://a:65536/", "refused"),
                    std::pair("http://a:/", "refused"), std::pair("http://u@a/", "refused"),
                    std::pair("http://a/ b", "refused"), std::pair("http://a/#b", "refused")));

class SimulatorWebhooks : public SimulatorTest {
 protected:
  void StartFor(const std::vector<const Receiver*>& receivers) {
    Simulator::Options options;
    for (const Receiver* receiver : receivers) options.webhook_urls.push_back(receiver->url());
    options.webhook_secrets = {kVectorSecret};
    options.webhook_initial_backoff = std::chrono::milliseconds(1);
    options.webhook_max_backoff = std::chrono::milliseconds(4);
    Start(options);
  }

  static std::vector<std::string> Types(const std::vector<Delivery>& deliveries) {
    std::vector<std::string> types;
    for (const Delivery& delivery : deliveries) types.push_back(delivery.type());
    return types;
  }
};

TEST_F(SimulatorWebhooks, TellTheLifeOfASessionSigned) {
  Receiver receiver;
  StartFor({&receiver});
  const std::string session = NewSession();
  Tap(session, "LOST_CARD");
  const std::string order = At(Tap(session, "SUCCESS").Json(), "order_id");
  const auto deliveries = receiver.Wait(4);
  EXPECT_THAT(Types(deliveries), ElementsAre("ipp.session.created", "ipp.session.activated",
                                             "ipp.payment.failed", "ipp.session.finalized"));
  WebhookSigner signer;
  signer.AddSecret(kVectorSecret);
  for (const Delivery& delivery : deliveries) {
    const int64_t timestamp = std::atoll(delivery.timestamp.c_str());
    EXPECT_EQ(delivery.signature, signer.Sign(delivery.id, timestamp, delivery.body));
    EXPECT_LE(std::abs(timestamp - std::time(nullptr)), 60);
    EXPECT_THAT(delivery.id, MatchesRegex("msg_[0-9A-Za-z]{22}"));
    EXPECT_THAT(delivery.body,
                MatchesRegex(R"(\{"id":"kevt_[0-9A-Za-z]{22}","merchant_id":"PM00000001",)"
                             R"("timestamp":"[-0-9]+T[0-9:]{8}\.[0-9]{9}Z","type":"[a-z.]+",)"
                             R"("data":\{"session_id":")" +
                             session + R"(","order_id":[^,]+,"failure_reason":[^,]+\}\})"));
    EXPECT_EQ(delivery.connection, 1);
  }
  EXPECT_THAT(deliveries[0].body, testing::HasSubstr(R"("order_id":null)"));
  EXPECT_THAT(deliveries[2].body, testing::HasSubstr(R"("failure_reason":"lost_card")"));
  EXPECT_THAT(deliveries[3].body, testing::HasSubstr(R"("order_id":")" + order + "\""));
}

TEST_F(SimulatorWebhooks, KeepTheRealTimeWhenTheClockIsAdvanced) {
  Receiver receiver;
  StartFor({&receiver});
  Post("/_sim/clock/advance", R"({"seconds":86400})");
  NewSession();
  const int64_t timestamp = std::atoll(receiver.Wait(1)[0].timestamp.c_str());
  EXPECT_LE(std::abs(timestamp - std::time(nullptr)), 60);
}

TEST_F(SimulatorWebhooks, AreSignedByEverySecret) {
  Receiver receiver;
  Simulator::Options options;
  options.webhook_urls = {receiver.url()};
  options.webhook_secrets = {kVectorSecret, Simulator::kDefaultSecret};
  Start(options);
  NewSession();
  EXPECT_THAT(receiver.Wait(1)[0].signature, MatchesRegex("v1,[^ ]{44} v1,[^ ]{44}"));
}

TEST_F(SimulatorWebhooks, AreRepeatedUntilTakenAndStayInOrder) {
  int count = 0;
  Receiver receiver([&](const Delivery&) { return ++count <= 3 ? 503 : 200; });
  StartFor({&receiver});
  Tap(NewSession(), "SUCCESS");
  const auto deliveries = receiver.Wait(6);
  EXPECT_THAT(Types(deliveries),
              ElementsAre("ipp.session.created", "ipp.session.created", "ipp.session.created",
                          "ipp.session.created", "ipp.session.activated", "ipp.session.finalized"));
  EXPECT_EQ(deliveries[0].id, deliveries[3].id);
  EXPECT_EQ(deliveries[0].event_id(), deliveries[3].event_id());
}

TEST_F(SimulatorWebhooks, SurviveAReceiverThatClosesItsConnections) {
  std::string url;
  Receiver other;
  StartFor({&other});
  {
    Receiver first;
    url = first.url();
    EXPECT_EQ(Send("PUT", "/_sim/webhooks", "{\"urls\":[\"" + url + "\"]}").status, 204);
    NewSession();
    first.Wait(1);
  }  // closes the connection that the simulator would use again
  NewSession();
  EXPECT_EQ(Send("PUT", "/_sim/webhooks", "{\"urls\":[\"" + other.url() + "\"]}").status, 204);
  const std::string last = NewSession();
  EXPECT_EQ(other.Wait(1)[0].session_id(), last);
}

TEST_F(SimulatorWebhooks, GoToSeveralReceiversAndAgainOnDemand) {
  Receiver first;
  Receiver second;
  StartFor({&first, &second});
  NewSession();
  const Delivery delivery = first.Wait(1)[0];
  EXPECT_EQ(delivery.event_id(), second.Wait(1)[0].event_id());
  EXPECT_EQ(Post("/_sim/webhooks/" + delivery.event_id() + "/resend").status, 202);
  EXPECT_EQ(first.Wait(2)[1].id, delivery.id);
  second.Wait(2);
  EXPECT_EQ(Post("/_sim/webhooks/kevt_none/resend").status, 404);
}

TEST_F(SimulatorWebhooks, ShowWhatBecameOfThem) {
  Receiver receiver;
  StartFor({&receiver});
  NewSession();
  receiver.Wait(1);
  const std::string second = NewSession();
  receiver.Wait(2);
  const auto list = Get("/_sim/webhooks").Json();
  EXPECT_EQ(At(list, "urls.0"), receiver.url());
  EXPECT_EQ(At(list, "events.1.session_id"), second);
  EXPECT_EQ(At(list, "events.1.type"), "ipp.session.created");
  EXPECT_EQ(At(list, "events.1.deliveries.0.attempts"), "1");
  EXPECT_EQ(At(list, "events.0.deliveries.0.webhook_id"), receiver.Wait(1)[0].id);
}

TEST_F(SimulatorWebhooks, RefuseBadDestinations) {
  for (const std::string body : {R"({})", R"({"urls":"http://a/"})", R"({"urls":[1]})",
                                 R"({"urls":["https://a/"]})", R"({"urls":["a"]})"}) {
    const Reply reply = Send("PUT", "/_sim/webhooks", body);
    EXPECT_EQ(reply.status, 400) << body;
    EXPECT_NE(At(reply.Json(), "errors.urls"), "(absent)") << body;
  }
}

struct BadOptionsRow {
  std::string name;
  std::function<void(Simulator::Options&)> spoil;
  std::string error;
};

class SimulatorStart : public testing::TestWithParam<BadOptionsRow> {};

TEST_P(SimulatorStart, SaysWhatIsWrong) {
  Simulator::Options options;
  GetParam().spoil(options);
  std::string error;
  EXPECT_EQ(Simulator::Start(options, &error), nullptr);
  EXPECT_THAT(error, testing::HasSubstr(GetParam().error));
}

INSTANTIATE_TEST_SUITE_P(
    Options, SimulatorStart,
    testing::Values(BadOptionsRow{"Secret",
                                  [](auto& o) {
                                    o.webhook_secrets = {kVectorSecret, "hush"};
                                  },
                                  "webhook secret 2"},
                    BadOptionsRow{"Url", [](auto& o) { o.webhook_urls = {"ftp://a"}; }, "ftp://a"},
                    BadOptionsRow{"Address", [](auto& o) { o.address = "here"; }, "'here'"},
                    BadOptionsRow{"Merchants", [](auto& o) { o.merchants.clear(); }, "merchant"}),
    RowName<BadOptionsRow>);

}  // namespace
}  // namespace ipp::simulator
