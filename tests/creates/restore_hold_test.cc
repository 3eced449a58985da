#include "server/creates/restore_hold.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/base/error.h"
#include "server/sessions/session_recorder.h"
#include "tests/sessions/session_news.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_store.h"

namespace ipp::creates {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kMerchant[] = "PM1";

class RestoreHoldTest : public testing::Test {
 protected:
  // As a start with --restored does.
  void Restore(absl::Duration hold) {
    store_.BeginEpoch({.hold_creates_until = store_.Now() + hold},
                      [](absl::StatusOr<store::LogBounds> bounds) { ASSERT_TRUE(bounds.ok()); });
    store_.RunAll();
  }
  absl::Status Admit(const std::string& request_id) {
    std::optional<absl::Status> admitted;
    hold_.Admit(kMerchant, request_id, [&admitted](absl::Status status) { admitted = status; });
    store_.RunAll();
    EXPECT_TRUE(admitted.has_value());
    return admitted.value_or(absl::InternalError("not answered"));
  }
  void Keep(const std::string& request_id, store::IntentState state) {
    store::Transaction transaction;
    store::IntentRecord intent;
    intent.merchant_id = kMerchant;
    intent.request_id = request_id;
    intent.rpc = "CreateSession";
    intent.state = state;
    intent.created_at = intent.updated_at = clock_.Now();
    transaction.merchant_id = kMerchant;
    transaction.request_id = request_id;
    transaction.decide = [intent](const store::Snapshot&) {
      return store::Writes{.session = {}, .events = {}, .intent = intent};
    };
    store_.Commit(std::move(transaction),
                  [](const absl::StatusOr<store::Committed>& kept) { ASSERT_TRUE(kept.ok()); });
    store_.RunAll();
  }
  static bool IsHeld(const absl::Status& status) {
    const ErrorDetail detail = GetErrorDetail(status);
    return absl::IsUnavailable(status) && detail.reason == "RESTORED_HOLDING" &&
           detail.metadata.at("retry_safe") == "true" && detail.metadata.count("outcome") == 0 &&
           detail.retry_after >= absl::Seconds(1);
  }

  FakeClock clock_;
  Metrics metrics_;
  store::FakeStore store_{&clock_, store::FakeStore::Mode::kManual};
  RestoreHold hold_{&store_, &metrics_};
};

TEST_F(RestoreHoldTest, NothingIsHeldWithoutARestore) {
  EXPECT_EQ(hold_.Left(), absl::ZeroDuration());
  EXPECT_TRUE(hold_.Unanswerable().ok());
}

TEST_F(RestoreHoldTest, EndsByTimeAndSaysSo) {
  Restore(absl::Minutes(10));
  EXPECT_EQ(hold_.Left(), absl::Minutes(10));
  EXPECT_TRUE(IsHeld(hold_.Unanswerable()));
  EXPECT_THAT(metrics_.Text(), Not(HasSubstr("ipp_creates_held_until_seconds 0")));
  clock_.Advance(absl::Minutes(10) - absl::Milliseconds(1));
  EXPECT_GT(hold_.Left(), absl::ZeroDuration());
  clock_.Advance(absl::Milliseconds(1));
  EXPECT_EQ(hold_.Left(), absl::ZeroDuration());
  EXPECT_THAT(metrics_.Text(), HasSubstr("ipp_creates_held_until_seconds 0"));
}

TEST_F(RestoreHoldTest, LastsByTheStoresTime) {
  for (const absl::Duration ahead : {absl::Hours(24 * 400), -absl::Hours(24 * 400)}) {
    store_.SetAhead(ahead);
    Restore(absl::Minutes(10));
    EXPECT_EQ(hold_.Left(), absl::Minutes(10));
    clock_.Advance(absl::Minutes(10));
    EXPECT_EQ(hold_.Left(), absl::ZeroDuration());
  }
}

// Only what cannot have been sent since the backup unknown to us goes on.
TEST_F(RestoreHoldTest, AdmitsTheCreatesWhoseEndIsKnown) {
  struct Row {
    store::IntentState state;
    bool admitted;
  };
  for (const Row& row :
       {Row{store::IntentState::kExecuted, true}, Row{store::IntentState::kRejected, true},
        Row{store::IntentState::kUnknown, true}, Row{store::IntentState::kNotSent, false}}) {
    const std::string id = absl::StrCat("request-", static_cast<int>(row.state));
    Keep(id, row.state);
    Restore(absl::Minutes(10));
    const absl::Status admitted = Admit(id);
    EXPECT_EQ(admitted.ok(), row.admitted) << id << admitted;
    EXPECT_NE(admitted.ok(), IsHeld(admitted)) << admitted;
  }
  EXPECT_TRUE(IsHeld(Admit("never-heard-of")));
  EXPECT_EQ(metrics_.counter("ipp_creates_held_total", "").value(), 2);
}

TEST_F(RestoreHoldTest, AdmitsACreateWhoseSessionHasTurnedUp) {
  Restore(absl::Minutes(10));
  ASSERT_TRUE(IsHeld(Admit("request-1")));
  sessions::SessionRecorder recorder(&store_, &metrics_);
  sessions::SessionUpdate news =
      sessions::fixtures::Answer(kustom::ipp::v1::SESSION_STATUS_CREATED);
  news.request_id = "request-1";
  news.merchant_id = kMerchant;
  news.answers_create = true;
  recorder.Record(news,
                  [](const absl::StatusOr<sessions::Recorded>& kept) { ASSERT_TRUE(kept.ok()); });
  store_.RunAll();
  EXPECT_TRUE(Admit("request-1").ok());
}

TEST_F(RestoreHoldTest, AStoreThatFailsAdmitsNothing) {
  Restore(absl::Minutes(10));
  for (int reads = 0; reads < 2; ++reads) {
    store_.FailReads(absl::UnavailableError("no disk"));
    const absl::Status status = Admit("request-1");
    EXPECT_TRUE(absl::IsUnavailable(status));
    EXPECT_FALSE(IsHeld(status));
  }
}

}  // namespace
}  // namespace ipp::creates
