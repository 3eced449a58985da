#include "server/sessions/session_recorder.h"

#include <optional>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/sessions/session_news.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_store.h"

namespace ipp::sessions {
namespace {

using namespace fixtures;  // NOLINT: the words of these tests
using store::FakeStore;
using testing::HasSubstr;

class SessionRecorderTest : public testing::Test {
 protected:
  absl::StatusOr<UpdateEffect> Record(SessionUpdate news) {
    std::optional<absl::StatusOr<UpdateEffect>> answer;
    recorder_.Record(std::move(news), [&](absl::StatusOr<Recorded> recorded) {
      if (recorded.ok()) {
        answer = recorded->effect;
      } else {
        answer = recorded.status();
      }
    });
    EXPECT_FALSE(answer.has_value()) << "answered inside the call";
    store_.RunAll();
    return answer.value_or(absl::InternalError("no answer"));
  }
  double Count(const std::string& source, const std::string& effect) {
    return metrics_.counter("ipp_session_news_total", "", {{"source", source}, {"verdict", effect}})
        .value();
  }

  FakeClock clock_{kHeardAt};
  Metrics metrics_;
  FakeStore store_{&clock_, FakeStore::Mode::kManual};
  SessionRecorder recorder_{&store_, &metrics_};
};

TEST_F(SessionRecorderTest, WritesRecordAndEventDown) {
  EXPECT_EQ(*Record(Webhook(v1::SESSION_EVENT_TYPE_ACTIVATED)), UpdateEffect::kAdvanced);
  ASSERT_EQ(store_.events().size(), 1u);
  EXPECT_EQ(store_.events()[0].event_id(), "kevt_1");
  EXPECT_EQ(*Record(Answer(v1::SESSION_STATUS_FINALIZED)), UpdateEffect::kAdvanced);
  ASSERT_EQ(store_.events().size(), 2u);
  EXPECT_EQ(store_.events()[1].session().status(), v1::SESSION_STATUS_FINALIZED);
}

TEST_F(SessionRecorderTest, TakesAWebhookOnceByMerchantAndEventId) {
  EXPECT_EQ(*Record(Webhook(v1::SESSION_EVENT_TYPE_PAYMENT_FAILED)), UpdateEffect::kAttempt);
  EXPECT_EQ(*Record(Webhook(v1::SESSION_EVENT_TYPE_PAYMENT_FAILED)), UpdateEffect::kRepeated);
  EXPECT_EQ(store_.events().size(), 1u);

  SessionUpdate other = Webhook(v1::SESSION_EVENT_TYPE_PAYMENT_FAILED);
  other.merchant_id = "PM2";
  EXPECT_EQ(*Record(other), UpdateEffect::kAttempt);
  EXPECT_EQ(store_.events().size(), 2u);
}

TEST_F(SessionRecorderTest, CountsNewsAndEventsOnceDurable) {
  ASSERT_TRUE(Record(Webhook(v1::SESSION_EVENT_TYPE_ACTIVATED)).ok());
  ASSERT_TRUE(Record(Webhook(v1::SESSION_EVENT_TYPE_ACTIVATED)).ok());
  ASSERT_TRUE(Record(Answer(v1::SESSION_STATUS_CREATED)).ok());
  EXPECT_EQ(Count("webhook", "advanced"), 1);
  EXPECT_EQ(Count("webhook", "repeated"), 1);
  EXPECT_EQ(Count("api", "completed"), 1);
  EXPECT_EQ(Count("reconciliation", "disagrees"), 0);
  EXPECT_THAT(metrics_.Text(),
              HasSubstr("ipp_session_events_total{source=\"webhook\",type=\"activated\"} 1"));
}

TEST_F(SessionRecorderTest, PassesOnThatTheStoreFailedAndTakesTheNewsAgain) {
  store_.FailCommits(absl::UnavailableError("disk full"));
  EXPECT_TRUE(absl::IsUnavailable(Record(Webhook(v1::SESSION_EVENT_TYPE_FINALIZED)).status()));
  EXPECT_EQ(Count("webhook", "advanced"), 0);
  EXPECT_EQ(*Record(Webhook(v1::SESSION_EVENT_TYPE_FINALIZED)), UpdateEffect::kAdvanced);
  EXPECT_EQ(store_.events().size(), 1u);
}

TEST_F(SessionRecorderTest, PassesOnAnEventOfNoSessionOnce) {
  SessionUpdate news = Webhook(v1::SESSION_EVENT_TYPE_UNSPECIFIED);
  news.session_id = "";
  EXPECT_EQ(*Record(news), UpdateEffect::kRecorded);
  EXPECT_EQ(*Record(news), UpdateEffect::kRepeated);
  EXPECT_EQ(store_.events().size(), 1u);
}

// The create's answer and every webhook were lost; a caller's read is the first that tells of it.
TEST_F(SessionRecorderTest, TellsTheEndOfASessionWhoseCreateIsSettledByACallersRead) {
  SessionUpdate read = Answer(v1::SESSION_STATUS_FINALIZED);
  read.overheard = true;
  read.request_id = "request-1";
  EXPECT_EQ(*Record(read), UpdateEffect::kLate) << "of no create that is waited for";
  EXPECT_TRUE(store_.events().empty());

  store::Transaction create;
  create.merchant_id = "PM1";
  create.request_id = "request-1";
  v1::CreateSessionRequest request;
  request.set_device_id(read.session->device_id());
  request.set_order_amount(read.session->order_amount());
  request.set_purchase_currency(read.session->purchase_currency());
  create.decide = [&](const store::Snapshot&) {
    store::IntentRecord intent;
    intent.merchant_id = "PM1";
    intent.request_id = "request-1";
    intent.rpc = "CreateSession";
    intent.request = request.SerializeAsString();
    intent.state = store::IntentState::kUnknown;
    return store::Writes{.intent = intent};
  };
  store_.Commit(std::move(create), [](const absl::StatusOr<store::Committed>&) {});
  store_.RunAll();
  EXPECT_EQ(*Record(read), UpdateEffect::kAdvanced);
  ASSERT_EQ(store_.events().size(), 1u);
  EXPECT_EQ(store_.events()[0].type(), v1::SESSION_EVENT_TYPE_FINALIZED);
  EXPECT_EQ(store_.events()[0].request_id(), "request-1");
  EXPECT_EQ(store_.events()[0].order_id(), "o1");
  EXPECT_EQ(*Record(read), UpdateEffect::kRepeated);
}

TEST_F(SessionRecorderTest, KeepsWhereTheCreateWasFor) {
  store::Transaction create;
  create.merchant_id = "PM1";
  create.request_id = "request-1";
  SessionUpdate answer = Answer(v1::SESSION_STATUS_CREATED);
  answer.request_id = "request-1";
  answer.answers_create = true;
  create.decide = [&](const store::Snapshot&) {
    v1::CreateSessionRequest request;
    request.set_location_id("0A0B0C0D-0000-4000-8000-00000000000A");
    store::IntentRecord intent;
    intent.merchant_id = "PM1";
    intent.request_id = "request-1";
    intent.rpc = "CreateSession";
    intent.request = request.SerializeAsString();
    return store::Writes{.intent = intent};
  };
  store_.Commit(std::move(create), [](const absl::StatusOr<store::Committed>&) {});
  store_.RunAll();
  ASSERT_TRUE(Record(answer).ok());
  std::string location;
  store_.FindSession("PM1", answer.session_id,
                     [&](const absl::StatusOr<store::SessionRecord>& record) {
                       location = record.value().location_id;
                     });
  store_.RunAll();
  EXPECT_EQ(location, "0a0b0c0d-0000-4000-8000-00000000000a");
}

TEST_F(SessionRecorderTest, NotesCancelsOfSessionsThatItKnows) {
  const auto cancels = [&](const std::string& session) {
    size_t count = 0;
    store_.ListCancels("PM1", session, 10,
                       [&](const absl::StatusOr<std::vector<store::AskedCancel>>& found) {
                         count = found->size();
                       });
    store_.RunAll();
    return count;
  };
  const SessionUpdate answer = Answer(v1::SESSION_STATUS_CREATED);
  const store::AskedCancel asked{.merchant_id = "PM1",
                                 .session_id = answer.session_id,
                                 .caller = "till",
                                 .traceparent = "",
                                 .asked_at = {}};
  recorder_.NoteCancel(asked);
  store_.RunAll();
  EXPECT_EQ(cancels(answer.session_id), 0u) << "of a session that is not known";
  ASSERT_TRUE(Record(answer).ok());
  recorder_.NoteCancel(asked);
  store_.RunAll();
  EXPECT_EQ(cancels(answer.session_id), 1u);
  store_.FailCommits(absl::UnavailableError("disk full"), 1);
  recorder_.NoteCancel(asked);
  store_.RunAll();
  EXPECT_EQ(cancels(answer.session_id), 1u);
}

TEST_F(SessionRecorderTest, FillsInWhenItHeard) {
  SessionUpdate news = Answer(v1::SESSION_STATUS_CREATED);
  news.heard_at = absl::Time();
  ASSERT_TRUE(Record(news).ok());
  EXPECT_EQ(store_.events().at(0).occurred_at().seconds(), absl::ToUnixSeconds(kHeardAt));
}

}  // namespace
}  // namespace ipp::sessions
