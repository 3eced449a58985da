#include "server/console/pages.h"

#include <limits>

#include "gmock/gmock.h"

namespace ipp::console {
namespace {

namespace v1 = kustom::ipp::v1;
using testing::HasSubstr;
using testing::Not;

TEST(Money, HasTheDecimalsOfItsCurrency) {
  EXPECT_EQ(Money(25000, "SEK"), "250.00 SEK");
  EXPECT_EQ(Money(5, "EUR"), "0.05 EUR");
  EXPECT_EQ(Money(-105, "EUR"), "-1.05 EUR");
  EXPECT_EQ(Money(1500, "JPY"), "1500 JPY");
  EXPECT_EQ(Money(1500, "KWD"), "1.500 KWD");
  EXPECT_EQ(Money(std::numeric_limits<int64_t>::min(), "SEK"), "-92233720368547758.08 SEK");
}

SessionHistory Paid() {
  SessionHistory history;
  history.record.merchant_id = "PM1";
  history.record.session.set_session_id("s1");
  history.record.session.set_status(v1::SESSION_STATUS_FINALIZED);
  history.record.session.set_order_amount(25000);
  history.record.session.set_purchase_currency("SEK");
  history.record.session.set_merchant_reference1("<4711>");
  history.record.session.set_merchant_reference2("ipp-gateway:4be0");
  history.record.created_at = history.record.updated_at = absl::FromUnixSeconds(1'790'000'000);
  history.create.emplace();
  history.create->caller = "shop";
  history.create->state = store::IntentState::kExecuted;
  history.create->created_at = absl::FromUnixSeconds(1'790'000'000);
  store::StoredEvent row;
  row.recorded_at = absl::FromUnixSeconds(1'790'000'009);
  v1::SessionEvent event;
  event.set_type(v1::SESSION_EVENT_TYPE_FINALIZED);
  event.set_source(v1::SESSION_EVENT_SOURCE_RECONCILIATION);
  event.set_order_id("order-1");
  row.payload = event.SerializeAsString();
  history.events.push_back(row);
  return history;
}

TEST(Pages, ASessionIsExplained) {
  const std::string page = SessionPage(Paid());
  EXPECT_THAT(page, HasSubstr("FINALIZED"));
  EXPECT_THAT(page, HasSubstr("250.00 SEK"));
  EXPECT_THAT(page, HasSubstr("&lt;4711&gt;"));
  EXPECT_THAT(page, HasSubstr("found by reading, order order-1"));
  EXPECT_THAT(page, HasSubstr("asked for by shop"));
  EXPECT_LT(page.find("asked for by shop"), page.find("found by reading"));
  EXPECT_THAT(page, Not(HasSubstr("ipp-gateway:4be0"))) << "the gateway's own mark";
}

TEST(Pages, SayWhenThereIsNothing) {
  EXPECT_THAT(SearchPage("4711", {}), HasSubstr("has seen no session"));
  EXPECT_THAT(SearchPage("\"><script>", {}), Not(HasSubstr("<script")));
  EXPECT_THAT(OverviewPage({}), HasSubstr("There are none."));
  EXPECT_THAT(SubscriptionPage({}), HasSubstr("None is parked."));
}

TEST(Pages, ParkedEventsStandOut) {
  Overview overview;
  overview.subscriptions.emplace_back();
  overview.subscriptions.back().name = "orders";
  overview.subscriptions.back().counts.parked = 3;
  EXPECT_THAT(OverviewPage(overview), HasSubstr("<span class=\"bad\">3</span>"));
}

TEST(Pages, ADayThatIsNotWholeSaysSo) {
  v1::GetDayReportResponse report;
  report.set_partial(true);
  v1::DayTotal* total = report.add_totals();
  total->set_currency("SEK");
  total->set_paid_count(2);
  total->set_paid_amount(50000);
  DayAsked asked;
  asked.merchants = {"PM1", "PM2"};
  asked.merchant = "PM1";
  const std::string page = DayPage(asked, &report);
  EXPECT_THAT(page, HasSubstr("the sums are too small"));
  EXPECT_THAT(page, HasSubstr("500.00 SEK"));
  EXPECT_THAT(page, HasSubstr("<option selected>PM1</option>"));
}

}  // namespace
}  // namespace ipp::console
