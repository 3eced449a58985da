// Webhooks in which one member is missing or has an unexpected value.

#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/webhook/event_reader.h"
#include "server/webhook/webhook_event.pb.h"
#include "tests/support/odd_json.h"

namespace ipp::webhook {
namespace {

using google::protobuf::FieldDescriptor;
using sessions::SessionUpdate;
using testing::ElementsAre;
namespace v1 = kustom::ipp::v1;

const absl::Time kNow = absl::FromUnixSeconds(1'790'000'100);
constexpr char kMerchant[] = "DM00000001";

struct Reading {
  std::variant<SessionUpdate, Ignored, Malformed, WrongMerchant> read;
  std::vector<std::string> left_out;

  const SessionUpdate* news() const { return std::get_if<SessionUpdate>(&read); }
};

Reading Take(absl::string_view body, const std::set<std::string>& signers = {kMerchant},
             absl::string_view delivery_id = "msg_1") {
  Reading reading;
  reading.read = ReadEvent(body, delivery_id, signers, kNow,
                           [&](absl::string_view path) { reading.left_out.emplace_back(path); });
  return reading;
}

WebhookEvent Sample() {
  WebhookEvent event;
  ipp::test::FillSample(&event);
  event.set_merchant_id(kMerchant);
  event.set_type("ipp.payment.failed");
  event.set_session_id("s-1");
  event.mutable_data()->set_session_id("s-1");
  return event;
}

// Of the event with that text: it is about the session, whatever else became of it.
void ExpectTaken(const std::string& body, const WebhookEvent& sample) {
  const Reading reading = Take(body);
  ASSERT_NE(reading.news(), nullptr) << body;
  const SessionUpdate& news = *reading.news();
  EXPECT_EQ(news.merchant_id, kMerchant) << body;
  EXPECT_EQ(news.type, v1::SESSION_EVENT_TYPE_PAYMENT_FAILED) << body;
  EXPECT_FALSE(news.event_id.empty()) << body;
  EXPECT_FALSE(news.session_id.empty()) << body;
  const bool told = news.occurred_at == absl::FromUnixSeconds(sample.timestamp().seconds());
  EXPECT_TRUE(told || news.occurred_at == kNow) << body;
}

TEST(OddWebhooks, AreTakenWhateverAMemberHolds) {
  const WebhookEvent sample = Sample();
  for (const FieldDescriptor* member : [] {
         std::vector<const FieldDescriptor*> members;
         for (int i = 0; i < WebhookEvent::descriptor()->field_count(); ++i) {
           members.push_back(WebhookEvent::descriptor()->field(i));
         }
         return members;
       }()) {
    // What it must have. Another merchant's id is another merchant's event.
    if (member->name() == "type") continue;
    for (const std::string& odd : ipp::test::OddValues()) {
      const std::string body = ipp::test::JsonWith(sample, member, odd);
      if (member->name() == "merchant_id") {
        const Reading reading = Take(body);
        EXPECT_TRUE(reading.news() != nullptr ||
                    std::holds_alternative<WrongMerchant>(reading.read))
            << body;
        continue;
      }
      ExpectTaken(body, sample);
    }
  }
}

TEST(OddWebhooks, AreTakenWhateverAMemberOfTheDataHolds) {
  const WebhookEvent sample = Sample();
  const FieldDescriptor* data = WebhookEvent::descriptor()->FindFieldByName("data");
  for (int i = 0; i < WebhookData::descriptor()->field_count(); ++i) {
    for (const std::string& odd : ipp::test::OddValues()) {
      ExpectTaken(ipp::test::JsonWith(
                      sample, data,
                      ipp::test::JsonWith(sample.data(), WebhookData::descriptor()->field(i), odd)),
                  sample);
    }
  }
}

TEST(OddWebhooks, NameWhatWasLeftOut) {
  const Reading reading = Take(
      R"({"id":"kevt_1","merchant_id":"DM00000001","timestamp":1790000000,)"
      R"("type":"ipp.payment.failed","data":{"session_id":"s","failure_reason":{"code":"x"}}})");
  ASSERT_NE(reading.news(), nullptr);
  EXPECT_THAT(reading.left_out, ElementsAre("timestamp", "data.failure_reason"));
  EXPECT_EQ(reading.news()->occurred_at, kNow);
  EXPECT_EQ(reading.news()->failure_reason, "");
}

TEST(OddWebhooks, OfOtherProductsAreNotComplainedOf) {
  const Reading reading = Take(R"({"type":"order.created","timestamp":5,"data":["o"]})");
  EXPECT_TRUE(std::holds_alternative<Ignored>(reading.read));
  EXPECT_THAT(reading.left_out, testing::IsEmpty());
}

TEST(OddWebhooks, HaveTheirTypeInAnyLetterCase) {
  const Reading reading = Take(R"({"id":"k","type":"IPP.Session.FINALIZED","session_id":"s"})");
  ASSERT_NE(reading.news(), nullptr);
  EXPECT_EQ(reading.news()->type, v1::SESSION_EVENT_TYPE_FINALIZED);
  EXPECT_EQ(reading.news()->upstream_type, "IPP.Session.FINALIZED");
}

TEST(OddWebhooks, BelongToTheOnlyOneWhoseKeySignedThem) {
  constexpr char kBody[] = R"({"id":"k","type":"ipp.session.created","session_id":"s"})";
  ASSERT_NE(Take(kBody).news(), nullptr);
  EXPECT_EQ(Take(kBody).news()->merchant_id, kMerchant);
  // Which of them, only the session tells.
  ASSERT_NE(Take(kBody, {kMerchant, "DM2"}).news(), nullptr);
  EXPECT_EQ(Take(kBody, {kMerchant, "DM2"}).news()->merchant_id, "");
}

TEST(OddWebhooks, HaveTheIdOfTheirDeliveryWhenTheyHaveNoOther) {
  constexpr char kBody[] = R"({"type":"ipp.session.created","session_id":"s"})";
  ASSERT_NE(Take(kBody).news(), nullptr);
  EXPECT_EQ(Take(kBody).news()->event_id, "msg_1");
  EXPECT_TRUE(std::holds_alternative<Malformed>(Take(kBody, {kMerchant}, "\xff").read));
  EXPECT_TRUE(std::holds_alternative<Malformed>(Take(kBody, {kMerchant}, "").read));
}

}  // namespace
}  // namespace ipp::webhook
