#include "server/reports/day_reader.h"

#include <algorithm>
#include <future>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "kustom/ipp/v1/session.pb.h"
#include "server/base/error.h"
#include "server/base/protobuf_time.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_store.h"

namespace ipp::reports {
namespace {

namespace v1 = kustom::ipp::v1;
using store::FakeStore;

class DayReaderTest : public testing::Test {
 protected:
  // A payment of 10 at this hour of the day, recorded `late` afterwards.
  void Pay(const std::string& merchant, int hour, const std::string& device = "d1") {
    store::Transaction transaction;
    transaction.decide = [=, this](const store::Snapshot&) {
      v1::SessionEvent event;
      event.set_type(v1::SESSION_EVENT_TYPE_FINALIZED);
      event.set_merchant_id(merchant);
      event.set_session_id(absl::StrCat("s", sessions_));
      *event.mutable_occurred_at() = ToTimestamp(day_.starts_at + absl::Hours(hour));
      event.mutable_session()->set_device_id(device);
      event.mutable_session()->set_order_amount(10);
      event.mutable_session()->set_purchase_currency("SEK");
      return store::Writes{.events = {{event}}};
    };
    ++sessions_;
    clock_.SetWall(std::max(clock_.Now(), day_.starts_at + absl::Hours(hour)));
    Commit(std::move(transaction));
  }
  void Create(const std::string& request_id, store::IntentState state, int hour,
              const std::string& device) {
    store::Transaction transaction;
    transaction.merchant_id = "PM1";
    transaction.request_id = request_id;
    transaction.decide = [=, this](const store::Snapshot&) {
      v1::CreateSessionRequest request;
      request.set_device_id(device);
      store::IntentRecord intent;
      intent.merchant_id = "PM1";
      intent.request_id = request_id;
      intent.rpc = "CreateSession";
      intent.request = request.SerializeAsString();
      intent.state = state;
      intent.created_at = intent.updated_at = day_.starts_at + absl::Hours(hour);
      return store::Writes{.intent = intent};
    };
    Commit(std::move(transaction));
  }
  void Commit(store::Transaction transaction) {
    std::promise<bool> done;
    store_.Commit(std::move(transaction),
                  [&](const absl::StatusOr<store::Committed>& c) { done.set_value(c.ok()); });
    ASSERT_TRUE(done.get_future().get());
  }
  absl::Status Read(DayQuestion question) {
    report_.Clear();
    std::promise<absl::Status> done;
    ReadDay(&store_, std::move(question), &report_,
            [&](const absl::Status& status) { done.set_value(status); });
    return done.get_future().get();
  }
  DayQuestion Of(const std::string& merchant) { return {.merchant_id = merchant, .day = day_}; }

  const Day day_ = *DayOf("2026-11-29", "Europe/Stockholm");
  FakeClock clock_{day_.starts_at - absl::Hours(3)};
  FakeStore store_{&clock_, FakeStore::Mode::kThread};
  int sessions_ = 0;
  v1::GetDayReportResponse report_;
};

TEST_F(DayReaderTest, AddsUpAnEmptyLog) {
  ASSERT_TRUE(Read(Of("PM1")).ok());
  EXPECT_EQ(report_.totals_size(), 0);
  EXPECT_EQ(report_.merchant_id(), "PM1");
  EXPECT_EQ(FromTimestamp(report_.ends_at()), day_.ends_at);
  EXPECT_FALSE(report_.has_complete_since());
}

TEST_F(DayReaderTest, TakesTheDayAndTheMerchantAlone) {
  Pay("PM1", -2);
  for (int i = 0; i < 700; ++i) Pay(i % 2 == 0 ? "PM1" : "PM2", 1);  // more than two pages
  Pay("PM1", 24);
  ASSERT_TRUE(Read(Of("PM1")).ok());
  ASSERT_EQ(report_.totals_size(), 1);
  EXPECT_EQ(report_.totals(0).paid_count(), 350);
  EXPECT_EQ(report_.totals(0).paid_amount(), 3500);
  EXPECT_FALSE(report_.partial());
}

TEST_F(DayReaderTest, SaysHowFarBackTheLogGoes) {
  for (const int hour : {-2, 1, 2, 23}) Pay("PM1", hour);
  store_.TrimBefore(2);
  ASSERT_TRUE(Read(Of("PM1")).ok());
  EXPECT_EQ(FromTimestamp(report_.complete_since()), day_.starts_at + absl::Hours(1));
  EXPECT_TRUE(report_.partial()) << "the hour before is not known to be whole";
  Pay("PM1", 30);
  store_.TrimBefore(5);
  const absl::Status gone = Read(Of("PM1"));
  EXPECT_TRUE(absl::IsOutOfRange(gone));
  EXPECT_EQ(GetErrorDetail(gone).reason, "DAY_NOT_KEPT");
}

TEST_F(DayReaderTest, CountsCreatesOfTheDayThatAreUnknown) {
  Create("r1", store::IntentState::kUnknown, -1, "d1");
  Create("r2", store::IntentState::kUnknown, 1, "d1");
  Create("r3", store::IntentState::kExecuted, 1, "d1");
  for (int i = 0; i < 300; ++i) {
    Create(absl::StrCat("q", i), store::IntentState::kUnknown, 2, "d2");
  }
  Create("r5", store::IntentState::kUnknown, 25, "d1");
  ASSERT_TRUE(Read(Of("PM1")).ok());
  EXPECT_EQ(report_.creates_unknown(), 301);
  DayQuestion question = Of("PM1");
  question.devices = {"d1"};
  ASSERT_TRUE(Read(question).ok());
  EXPECT_EQ(report_.creates_unknown(), 1);
}

TEST_F(DayReaderTest, EndsWhenItIsNoLongerWanted) {
  for (int i = 0; i < 300; ++i) Pay("PM1", 1);
  DayQuestion question = Of("PM1");
  int asked = 0;
  question.cancelled = [&] { return ++asked > 3; };
  EXPECT_TRUE(absl::IsCancelled(Read(question)));
}

TEST_F(DayReaderTest, IsRefusedWhenTheDayIsTooLargeOrTheStoreCannotAnswer) {
  for (int i = 0; i < 3; ++i) Pay("PM1", 1);
  DayQuestion question = Of("PM1");
  question.max_sessions = 2;
  EXPECT_EQ(GetErrorDetail(Read(question)).reason, "REPORT_TOO_LARGE");
  store_.FailReads(absl::UnavailableError("away"), 1);
  EXPECT_TRUE(absl::IsUnavailable(Read(Of("PM1"))));
}

}  // namespace
}  // namespace ipp::reports
