#include "server/webhook/receiver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "google/protobuf/util/time_util.h"
#include "server/base/mutex.h"
#include "server/sessions/session_recorder.h"
#include "server/store/keepable.h"
#include "server/webhook/signature.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_store.h"
#include "tests/webhook/example.h"

namespace ipp::webhook {
namespace {

using google::protobuf::util::TimeUtil;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
namespace v1 = kustom::ipp::v1;

constexpr char kMerchant[] = "DM00000001";
constexpr char kOther[] = "DM00000002";
constexpr char kSession[] = "11111111-1111-4111-8111-111111111111";

class ReceiverTest : public testing::Test {
 protected:
  // Signs `body` with `key` at the clock's time.
  Delivery Signed(std::string body, absl::string_view key) {
    Delivery delivery;
    delivery.id = "msg_1";
    delivery.timestamp = absl::StrCat(absl::ToUnixSeconds(clock_.Now()));
    delivery.signature = Sign(key, delivery.id, delivery.timestamp, body);
    delivery.body = std::move(body);
    return delivery;
  }

  Answer Take(Delivery delivery) {
    std::optional<Answer> answer;
    receiver_.Take(std::move(delivery), [&answer](Answer given) { answer = std::move(given); });
    store_.RunAll();
    EXPECT_TRUE(answer.has_value());
    return answer.value_or(Answer{.http_code = 0, .text = ""});
  }
  Answer Take(std::string body) { return Take(Signed(std::move(body), ExampleKey())); }

  double Counted(const char* result) {
    return metrics_.counter("ipp_webhooks_total", "", {{"result", result}}).value();
  }

  FakeClock clock_{kExampleTime};
  Metrics metrics_;
  store::FakeStore store_{&clock_, store::FakeStore::Mode::kManual};
  sessions::SessionRecorder recorder_{&store_, &metrics_};
  // What a search for an owner ends with; the merchants that it was to choose from.
  absl::StatusOr<std::string> owner_ = absl::InternalError("asked for an owner");
  std::vector<std::string> candidates_;
  std::vector<SigningKey> keys_ = {{kMerchant, ExampleKey()}, {kOther, "other key"}};
  Receiver receiver_{[this] { return MakeKeys(keys_); },
                     absl::Minutes(5),
                     &recorder_,
                     [this](std::vector<std::string> merchants, const std::string&, auto done) {
                       candidates_ = std::move(merchants);
                       std::move(done)(owner_);
                     },
                     &clock_,
                     &metrics_};
};

std::string Event(absl::string_view type, absl::string_view data) {
  return absl::StrCat(R"({"id":"kevt_1","merchant_id":"DM00000001",)"
                      R"("timestamp":"2026-09-21T14:13:20Z","type":")",
                      type, R"(","data":)", data, "}");
}

std::string DataOf(absl::string_view session_id) {
  return absl::StrCat(R"({"session_id":")", session_id, R"(","order_id":null})");
}

TEST_F(ReceiverTest, KeepsTheExampleAsAnEvent) {
  const Answer answer = Take({kExampleId, kExampleTimestamp, kExampleSignature, kExampleBody});
  EXPECT_EQ(answer.http_code, 200);
  EXPECT_EQ(answer.text, "accepted");
  EXPECT_EQ(Counted("accepted"), 1);
  const std::vector<v1::SessionEvent> events = store_.events();
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_EQ(events[0].event_id(), "kevt_0000000000000000000001");
  EXPECT_EQ(events[0].type(), v1::SESSION_EVENT_TYPE_FINALIZED);
  EXPECT_EQ(events[0].upstream_type(), "ipp.session.finalized");
  EXPECT_EQ(events[0].merchant_id(), kMerchant);
  EXPECT_EQ(events[0].session_id(), kSession);
  EXPECT_EQ(events[0].order_id(), "22222222-2222-4222-8222-222222222222");
  EXPECT_EQ(events[0].failure_reason(), "");
  EXPECT_EQ(TimeUtil::ToString(events[0].occurred_at()), "2026-09-21T14:13:20.000000001Z");
  EXPECT_EQ(events[0].source(), v1::SESSION_EVENT_SOURCE_WEBHOOK);
}

TEST_F(ReceiverTest, AnswersOnlyWhenTheEventIsDurable) {
  std::optional<Answer> answer;
  receiver_.Take(Signed(kExampleBody, ExampleKey()),
                 [&answer](Answer given) { answer = std::move(given); });
  EXPECT_FALSE(answer.has_value());
  EXPECT_THAT(store_.events(), IsEmpty());
  store_.RunAll();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->http_code, 200);
  EXPECT_THAT(store_.events(), SizeIs(1));
}

TEST_F(ReceiverTest, TakesAnEventOnce) {
  EXPECT_EQ(Take(kExampleBody).text, "accepted");
  clock_.Advance(absl::Hours(2));
  const Answer again = Take(kExampleBody);
  EXPECT_EQ(again.http_code, 200);
  EXPECT_EQ(again.text, "known already");
  EXPECT_THAT(store_.events(), SizeIs(1));
  EXPECT_EQ(Counted("accepted"), 1);
  EXPECT_EQ(Counted("duplicate"), 1);
}

TEST_F(ReceiverTest, AsksForAnotherDeliveryWhenTheStoreFails) {
  store_.FailCommits(absl::UnavailableError("disk full on /var/lib"));
  const Answer answer = Take(kExampleBody);
  EXPECT_EQ(answer.http_code, 503);
  EXPECT_THAT(answer.text, Not(HasSubstr("/var/lib")));
  EXPECT_EQ(Counted("store_failed"), 1);
  EXPECT_EQ(Take(kExampleBody).text, "accepted") << "the failure was not remembered as seen";
  EXPECT_THAT(store_.events(), SizeIs(1));
}

// Asking for it again would not help: each delivery would end the same.
TEST_F(ReceiverTest, RefusesForGoodWhatNoStoreKeeps) {
  const Answer answer =
      Take(Event("ipp.session.created", DataOf(std::string(store::kMaxIdBytes + 1, 's'))));
  EXPECT_EQ(answer.http_code, 400);
  EXPECT_THAT(answer.text, HasSubstr("session_id has 513 bytes"));
  EXPECT_EQ(Counted("malformed"), 1);
  EXPECT_EQ(Counted("store_failed"), 0);
  EXPECT_THAT(store_.events(), IsEmpty());
}

TEST_F(ReceiverTest, TakesAnEventIdOfAnyLengthOnce) {
  for (const size_t size : {1, 512, 3000, 200'000}) {
    const std::string body =
        absl::StrReplaceAll(Event("ipp.session.created", DataOf(absl::StrCat("s", size))),
                            {{"kevt_1", std::string(size, 'k')}});
    EXPECT_EQ(Take(body).text, "accepted") << size;
    EXPECT_EQ(Take(body).text, "known already") << size;
  }
}

TEST_F(ReceiverTest, TakesIdsOfAnyCharacters) {
  for (const char* id : {"s\\u0000", "\\ud83d\\udcb3", "'; --", "\\u0001", " "}) {
    EXPECT_EQ(
        Take(absl::StrReplaceAll(Event("ipp.session.created", DataOf(id)), {{"kevt_1", id}})).text,
        "accepted")
        << id;
  }
  EXPECT_EQ(store_.events().at(0).session_id(), std::string("s\0", 2));
}

TEST_F(ReceiverTest, KeepsTypesThatItDoesNotKnow) {
  for (const char* type : {"ipp.session.paused", "ipp.payment.refunded", "session.paused"}) {
    EXPECT_EQ(Take(absl::StrReplaceAll(Event(type, DataOf(kSession)), {{"kevt_1", type}})).text,
              "accepted")
        << type;
    EXPECT_EQ(store_.events().back().type(), v1::SESSION_EVENT_TYPE_UNSPECIFIED);
    EXPECT_EQ(store_.events().back().upstream_type(), type);
  }
  EXPECT_EQ(Counted("accepted"), 3);
}

TEST_F(ReceiverTest, TakesTheSessionIdFromTheTopToo) {
  EXPECT_EQ(Take(R"({"id":"kevt_1","merchant_id":"DM00000001","session_id":"s-top",)"
                 R"("timestamp":"2026-09-21T14:13:20Z","type":"ipp.session.created"})")
                .text,
            "accepted");
  EXPECT_EQ(store_.events().at(0).session_id(), "s-top");
}

TEST_F(ReceiverTest, TakesTheSessionIdFromTheDatasIdIfItIsAUuid) {
  const auto take = [&](const std::string& id) {
    return Take(R"({"id":"kevt_1","merchant_id":"DM00000001","type":"ipp.session.created",)"
                R"("timestamp":"2026-09-21T14:13:20Z","data":{"id":")" +
                id + R"("}})")
        .text;
  };
  EXPECT_NE(take("pay_1"), "accepted");
  EXPECT_EQ(take("0A0B0C0D-0000-4000-8000-00000000ABCD"), "accepted");
  EXPECT_EQ(store_.events().at(0).session_id(), "0a0b0c0d-0000-4000-8000-00000000abcd");
}

TEST_F(ReceiverTest, PrefersTheSessionIdInTheData) {
  EXPECT_EQ(Take(R"({"id":"kevt_1","merchant_id":"DM00000001","session_id":"s-top",)"
                 R"("timestamp":"2026-09-21T14:13:20Z","type":"ipp.session.created",)"
                 R"("data":{"session_id":"s-data"}})")
                .text,
            "accepted");
  EXPECT_EQ(store_.events().at(0).session_id(), "s-data");
}

TEST_F(ReceiverTest, KeepsTheReasonOfAFailedPayment) {
  EXPECT_EQ(
      Take(Event("ipp.payment.failed", R"({"session_id":"s","failure_reason":"card declined"})"))
          .text,
      "accepted");
  EXPECT_EQ(store_.events().at(0).type(), v1::SESSION_EVENT_TYPE_PAYMENT_FAILED);
  EXPECT_EQ(store_.events().at(0).failure_reason(), "card declined");
}

TEST_F(ReceiverTest, TakesFieldsThatItDoesNotKnow) {
  EXPECT_EQ(
      Take(Event("ipp.session.created", R"({"session_id":"s","new":[1,{"a":null}],"amount":12.5})"))
          .text,
      "accepted");
}

TEST_F(ReceiverTest, ReadsTheKeysForEachDelivery) {
  keys_ = {};
  EXPECT_EQ(Take(kExampleBody).http_code, 401);
  keys_ = {{kMerchant, "old"}, {kMerchant, ExampleKey()}};
  EXPECT_EQ(Take(kExampleBody).http_code, 200);
}

TEST_F(ReceiverTest, TakesAKeyThatTwoMerchantsShare) {
  keys_ = {{kOther, ExampleKey()}, {kMerchant, ExampleKey()}};
  EXPECT_EQ(Take(kExampleBody).http_code, 200);
}

TEST_F(ReceiverTest, RefusesAnEventSignedWithTheKeyOfAnotherMerchant) {
  EXPECT_EQ(Take(Signed(kExampleBody, "other key")).http_code, 403);
  EXPECT_EQ(Counted("wrong_merchant"), 1);
  EXPECT_EQ(Take(absl::StrReplaceAll(kExampleBody, {{"DM00000001", "DM99999999"}})).http_code, 403);
  EXPECT_THAT(store_.events(), IsEmpty());
}

TEST_F(ReceiverTest, RefusesWhatIsNotSigned) {
  Delivery delivery = Signed(kExampleBody, ExampleKey());
  delivery.body += " ";
  const Answer answer = Take(std::move(delivery));
  EXPECT_EQ(answer.http_code, 401);
  EXPECT_THAT(answer.text, HasSubstr("matches no key"));
  EXPECT_EQ(Counted("bad_signature"), 1);
  EXPECT_THAT(store_.events(), IsEmpty());
}

TEST_F(ReceiverTest, RefusesADeliveryThatIsTooOld) {
  Delivery delivery = Signed(kExampleBody, ExampleKey());
  clock_.Advance(absl::Minutes(5) + absl::Seconds(1));
  const Answer answer = Take(std::move(delivery));
  EXPECT_EQ(answer.http_code, 401);
  EXPECT_THAT(answer.text, HasSubstr("too old"));
}

TEST_F(ReceiverTest, LooksAtTheSignatureBeforeTheBody) {
  Delivery delivery = Signed("no JSON", ExampleKey());
  EXPECT_EQ(Take(delivery).http_code, 400);
  delivery.signature = "v1,AAAA";
  EXPECT_EQ(Take(delivery).http_code, 401);
}

// Several merchants may have one key; what an event does not need to say, it need not say then.
TEST_F(ReceiverTest, AsksWhoseSessionItIsWhereSeveralHaveTheKey) {
  constexpr char kThin[] =
      R"({"id":"kevt_1","type":"ipp.session.created","data":{"session_id":"11111111-1111-4111-8111-111111111111"}})";
  keys_ = {{kOther, ExampleKey()}, {kMerchant, ExampleKey()}};
  owner_ = absl::UnavailableError("the upstream does not answer");
  EXPECT_EQ(Take(kThin).http_code, 503);
  owner_ = absl::NotFoundError("none");
  EXPECT_EQ(Take(kThin).http_code, 400);
  EXPECT_THAT(store_.events(), IsEmpty());
  owner_ = std::string(kOther);
  EXPECT_EQ(Take(kThin).http_code, 200);
  EXPECT_THAT(candidates_, testing::ElementsAre(kMerchant, kOther));
  store_.RunAll();
  candidates_.clear();
  EXPECT_EQ(Take(kThin).text, "known already");
  keys_ = {{kOther, ExampleKey()}};
  candidates_.clear();
  EXPECT_EQ(Take(kThin).text, "known already");
  EXPECT_THAT(candidates_, IsEmpty());
}

TEST(Receiver, TakesDeliveriesFromManyThreads) {
  FakeClock clock(kExampleTime);
  Metrics metrics;
  store::FakeStore store(&clock);
  sessions::SessionRecorder recorder(&store, &metrics);
  Receiver receiver(
      [] {
        return MakeKeys({{kMerchant, ExampleKey()}});
      },
      absl::Minutes(5), &recorder, NoOwner(), &clock, &metrics);
  Mutex mutex;
  CondVar changed;
  int accepted = 0;
  int known = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      receiver.Take({kExampleId, kExampleTimestamp, kExampleSignature, kExampleBody},
                    [&](Answer answer) {
                      MutexLock lock(&mutex);
                      ++(answer.text == "accepted" ? accepted : known);
                      changed.SignalAll();
                    });
    });
  }
  for (auto& thread : threads) thread.join();
  MutexLock lock(&mutex);
  while (accepted + known < 8) changed.Wait(&mutex);
  EXPECT_EQ(accepted, 1);
  EXPECT_THAT(store.events(), SizeIs(1));
}

struct Row {
  const char* name;
  std::string body;
  const char* says;
};

class ReceiverIgnores : public ReceiverTest, public testing::WithParamInterface<Row> {};

TEST_P(ReceiverIgnores, OtherProductsEvents) {
  const Answer answer = Take(GetParam().body);
  EXPECT_EQ(answer.http_code, 200);
  EXPECT_EQ(answer.text, "ignored");
  EXPECT_EQ(Counted("ignored"), 1);
  EXPECT_THAT(store_.events(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    Table, ReceiverIgnores,
    testing::Values(Row{"Order", Event("order.created", R"({"order_id":"o"})"), ""},
                    Row{"Capture", Event("capture.created", "{}"), ""},
                    Row{"Refund", Event("refund.created", "null"), ""},
                    Row{"Dispute", Event("dispute.updated", R"({"order_id":null})"), ""},
                    Row{"NewProduct", Event("ipp.device.enrolled", R"({"device_id":"d"})"), ""},
                    Row{"DataOfAnotherForm", Event("order.created", R"(["o"])"), ""},
                    Row{"TimeOfAnotherForm", R"({"type":"order.created","timestamp":1790000000})",
                        ""},
                    Row{"NamesASession", Event("order.created", DataOf("s")), ""},
                    Row{"NewProductNamesASession", Event("ipp.receipt.printed", DataOf("s")), ""},
                    Row{"TypeAlone", R"({"type":"order.created"})", ""}),
    [](const auto& info) { return info.param.name; });

class ReceiverRefuses : public ReceiverTest, public testing::WithParamInterface<Row> {};

TEST_P(ReceiverRefuses, WhatIsNoEvent) {
  const Answer answer = Take(GetParam().body);
  EXPECT_EQ(answer.http_code, 400);
  EXPECT_THAT(answer.text, HasSubstr(GetParam().says));
  EXPECT_THAT(answer.text, Not(HasSubstr("hidden")));
  EXPECT_EQ(Counted("malformed"), 1);
  EXPECT_THAT(store_.events(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    Table, ReceiverRefuses,
    testing::Values(
        Row{"Empty", "", ""}, Row{"NoJson", "hidden", ""}, Row{"Array", "[]", ""},
        Row{"Truncated", R"({"id":"kevt_1","type":"ipp.session.created")", ""},
        Row{"NotUtf8", "{\"type\":\"\xff\"}", "type is missing"},
        Row{"EmptyObject", "{}", "type is missing"},
        Row{"NoType", R"({"id":"kevt_1","merchant_id":"DM00000001"})", "type is missing"},
        Row{"NoData",
            R"({"id":"k","merchant_id":"DM00000001","type":"ipp.session.created",)"
            R"("timestamp":"2026-09-21T14:13:20Z"})",
            "data.session_id is missing"},
        Row{"DataNull", Event("ipp.session.finalized", "null"), "data.session_id is missing"},
        Row{"SessionNull", Event("ipp.session.created", R"({"session_id":null})"),
            "data.session_id is missing"},
        Row{"SessionEmpty", Event("ipp.session.created", DataOf("")), "data.session_id is missing"},
        Row{"UnknownSessionTypeWithoutSession", Event("ipp.session.paused", "{}"),
            "data.session_id is missing"},
        Row{"OldNameWithoutSession", Event("session.finalized", "{}"),
            "data.session_id is missing"},
        Row{"PaymentWithoutSession", Event("ipp.payment.failed", "{}"),
            "data.session_id is missing"},
        Row{"SessionIsObject", Event("ipp.session.created", R"({"session_id":{"hidden":1}})"),
            "session_id"},
        Row{"DataIsText", Event("ipp.session.created", R"("hidden")"), "data"},
        Row{"DeeplyNested",
            Event("ipp.session.created", absl::StrCat(R"({"x":)", std::string(100'000, '['))), ""}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace ipp::webhook
