#include "client/ippctl/webhook.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <variant>

#include "client/ippctl/signing_secret.h"
#include "server/base/protobuf_time.h"
#include "server/webhook/event_reader.h"
#include "server/webhook/signature.h"
#include "tests/client/temporary_folder.h"

namespace ipp::ippctl {
namespace {

namespace v1 = ::kustom::ipp::v1;
using ::testing::ElementsAre;
using ::testing::MatchesRegex;

v1::SessionEvent Event(v1::SessionEventType type) {
  v1::SessionEvent event;
  event.set_event_id("kevt_0000000000000000000001");
  event.set_type(type);
  event.set_merchant_id("DM00000001");
  event.set_session_id("11111111-1111-4111-8111-111111111111");
  event.mutable_occurred_at()->set_seconds(1'790'000'000);
  event.mutable_occurred_at()->set_nanos(1);
  return event;
}

TEST(Webhook, BodyIsTheUpstreams) {
  v1::SessionEvent paid = Event(v1::SESSION_EVENT_TYPE_FINALIZED);
  paid.set_order_id("22222222-2222-4222-8222-222222222222");
  EXPECT_EQ(MakeWebhook(paid)->body,
            R"({"id":"kevt_0000000000000000000001","merchant_id":"DM00000001",)"
            R"("timestamp":"2026-09-21T14:13:20.000000001Z","type":"ipp.session.finalized",)"
            R"("data":{"session_id":"11111111-1111-4111-8111-111111111111",)"
            R"("order_id":"22222222-2222-4222-8222-222222222222","failure_reason":null}})");
  v1::SessionEvent failed = Event(v1::SESSION_EVENT_TYPE_PAYMENT_FAILED);
  failed.set_failure_reason("card \"declined\"\n\\");
  EXPECT_THAT(MakeWebhook(failed)->body,
              ::testing::HasSubstr(R"("order_id":null,)"
                                   R"("failure_reason":"card \"declined\"\u000a\\"}})"));
}

struct Named {
  v1::SessionEventType type;
  const char* name;
};

class WebhookType : public ::testing::TestWithParam<Named> {};

TEST_P(WebhookType, IsReadByTheGatewayAsWhatItWas) {
  v1::SessionEvent event = Event(GetParam().type);
  const auto webhook = MakeWebhook(event);
  ASSERT_TRUE(webhook.has_value());
  EXPECT_EQ(webhook->type, GetParam().name);
  EXPECT_EQ(webhook->id, event.event_id());
  const auto read = webhook::ReadEvent(webhook->body, webhook->id, {"DM00000001"}, absl::Now(),
                                       [](absl::string_view path) { ADD_FAILURE() << path; });
  ASSERT_TRUE(std::holds_alternative<sessions::SessionUpdate>(read));
  const auto& news = std::get<sessions::SessionUpdate>(read);
  EXPECT_EQ(news.event_id, event.event_id());
  EXPECT_EQ(news.session_id, event.session_id());
  EXPECT_EQ(news.upstream_type, GetParam().name);
  EXPECT_EQ(news.occurred_at, FromTimestamp(event.occurred_at()));
  const auto announced = AnnouncedTypes();
  const bool is_announced =
      std::find(announced.begin(), announced.end(), event.type()) != announced.end();
  if (is_announced) {
    EXPECT_EQ(news.type, event.type());
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, WebhookType,
    ::testing::Values(Named{v1::SESSION_EVENT_TYPE_CREATED, "ipp.session.created"},
                      Named{v1::SESSION_EVENT_TYPE_ACTIVATED, "ipp.session.activated"},
                      Named{v1::SESSION_EVENT_TYPE_PAYMENT_FAILED, "ipp.payment.failed"},
                      Named{v1::SESSION_EVENT_TYPE_FINALIZED, "ipp.session.finalized"},
                      Named{v1::SESSION_EVENT_TYPE_CANCELLED, "ipp.session.cancelled"},
                      Named{v1::SESSION_EVENT_TYPE_EXPIRED, "ipp.session.expired"},
                      Named{v1::SESSION_EVENT_TYPE_FAILED, "ipp.session.failed"},
                      Named{v1::SESSION_EVENT_TYPE_CORRECTED, "ipp.session.corrected"}),
    [](const auto& info) { return v1::SessionEventType_Name(info.param.type); });

TEST(Webhook, EveryTypeOfTheContractHasAName) {
  for (int i = 1; i < v1::SessionEventType_descriptor()->value_count(); ++i) {
    const auto type =
        static_cast<v1::SessionEventType>(v1::SessionEventType_descriptor()->value(i)->number());
    EXPECT_TRUE(MakeWebhook(Event(type)).has_value()) << v1::SessionEventType_Name(type);
  }
}

TEST(Webhook, KeepsTheUpstreamsOwnWord) {
  v1::SessionEvent other = Event(v1::SESSION_EVENT_TYPE_UNSPECIFIED);
  EXPECT_FALSE(MakeWebhook(other).has_value());
  other.set_upstream_type("ipp.session.paused");
  EXPECT_EQ(MakeWebhook(other)->type, "ipp.session.paused");
}

TEST(Webhook, IsSignedByEveryKeyAtTheTimeOfSending) {
  const auto webhook = *MakeWebhook(Event(v1::SESSION_EVENT_TYPE_CREATED));
  const absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  const auto headers = WebhookHeaders(webhook, {"key one", "key two"}, now);
  ASSERT_EQ(headers.size(), 4u);
  EXPECT_EQ(headers[0],
            std::make_pair(std::string("content-type"), std::string("application/json")));
  EXPECT_EQ(headers[1], std::make_pair(std::string("webhook-id"), webhook.id));
  EXPECT_EQ(headers[2],
            std::make_pair(std::string("webhook-timestamp"), std::string("1800000000")));
  EXPECT_EQ(headers[3].first, "webhook-signature");
  EXPECT_THAT(headers[3].second, MatchesRegex("v1,[^ ]+ v1,[^ ]+"));
  const webhook::SignedHeaders sent{headers[1].second, headers[2].second, headers[3].second};
  for (const char* key : {"key one", "key two"}) {
    EXPECT_TRUE(webhook::Verify(sent, webhook.body, {key}, now, absl::Seconds(300)).ok());
  }
}

TEST(SigningSecret, IsMadeOnceAndOnlyForItsOwner) {
  const TemporaryFolder folder;
  const auto made = ReadOrMakeSigningKeys(folder / "secret");
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_TRUE(made->made);
  ASSERT_EQ(made->keys.size(), 1u);
  EXPECT_EQ(made->keys[0].size(), 32u);
  EXPECT_EQ(std::filesystem::status(folder / "secret").permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_THAT(folder.Read("secret"), MatchesRegex("whsec_[A-Za-z0-9+/]+=\n"));
  const auto again = ReadOrMakeSigningKeys(folder / "secret");
  ASSERT_TRUE(again.ok());
  EXPECT_FALSE(again->made);
  EXPECT_EQ(again->keys, made->keys);
  EXPECT_NE(ReadOrMakeSigningKeys(folder / "other")->keys, made->keys);
}

TEST(SigningSecret, OfARotationAreSeveral) {
  const TemporaryFolder folder;
  const auto keys = ReadOrMakeSigningKeys(
      folder.Write("secret", "# new\nwhsec_a2V5IG9uZQ==\n\n whsec_a2V5IHR3bw== \n"));
  ASSERT_TRUE(keys.ok()) << keys.status();
  EXPECT_THAT(keys->keys, ElementsAre("key one", "key two"));
}

TEST(SigningSecret, ThatIsNoneIsNotRepeated) {
  const TemporaryFolder folder;
  const std::string path = folder.Write("secret", "whsec_a2V5IG9uZQ==\nhunter2\n");
  EXPECT_EQ(std::string(ReadOrMakeSigningKeys(path).status().message()),
            path + ": a webhook secret begins with whsec_");
  EXPECT_FALSE(ReadOrMakeSigningKeys(folder.Write("empty", "# nothing\n")).ok());
  EXPECT_EQ(std::string(ReadOrMakeSigningKeys(folder / "no/folder").status().message()),
            "cannot make " + (folder / "no/folder") + ": No such file or directory");
}

}  // namespace
}  // namespace ipp::ippctl
