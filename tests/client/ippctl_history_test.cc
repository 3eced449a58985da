#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/ippctl_fixture.h"

// `sessions list`, `sessions explain`, `report day`.
namespace ipp::ippctl {
namespace {

using ::testing::HasSubstr;

v1::KnownSession Known(const std::string& id, v1::SessionStatus status) {
  v1::KnownSession known;
  known.mutable_session()->set_session_id(id);
  known.mutable_session()->set_status(status);
  known.mutable_session()->set_order_amount(25000);
  known.mutable_session()->set_purchase_currency("SEK");
  known.mutable_session()->set_merchant_reference1("4711\x1b[31m");
  known.mutable_session()->set_device_id("d-1");
  known.mutable_created_at()->set_seconds(1'795'957'500);
  return known;
}

class IppctlHistory : public IppctlTest {};

TEST_F(IppctlHistory, ListsSessionsOverPages) {
  gateway_.history.list = [](auto*, const auto& request, auto* response) {
    const bool first = request.page_token().empty();
    *response->add_sessions() = first ? Known("s-2", v1::SESSION_STATUS_ACTIVE)
                                      : Known("s-1", v1::SESSION_STATUS_FINALIZED);
    if (first) response->set_next_page_token("p2");
    return grpc::Status::OK;
  };
  EXPECT_EQ(Out({"sessions", "list"}),
            "CREATED               SESSION  STATUS     AMOUNT      REFERENCE  DEVICE  ORDER\n"
            "2026-11-29T13:05:00Z  s-2      ACTIVE     250.00 SEK  4711\uFFFD[31m  d-1\n"
            "2026-11-29T13:05:00Z  s-1      FINALIZED  250.00 SEK  4711\uFFFD[31m  d-1\n");
  EXPECT_EQ(err_, "");
}

TEST_F(IppctlHistory, SaysWhenTheListIsNotWhole) {
  gateway_.history.list = [](auto*, const auto&, auto* response) {
    *response->add_sessions() = Known("s-2", v1::SESSION_STATUS_ACTIVE);
    response->set_next_page_token("p2");
    response->set_indexing(true);
    return grpc::Status::OK;
  };
  Out({"sessions", "list", "--limit", "1"});
  EXPECT_THAT(err_, HasSubstr("still indexes sessions"));
  EXPECT_THAT(err_, HasSubstr("raise --limit"));
}

TEST_F(IppctlHistory, ExplainsASession) {
  gateway_.history.get = [](auto*, const auto& request, auto* response) {
    EXPECT_EQ(request.session_id(), "s-1");
    *response->mutable_session() = Known("s-1", v1::SESSION_STATUS_FINALIZED);
    response->mutable_create()->set_request_id("r-1");
    response->mutable_create()->set_caller("order-service");
    response->mutable_create()->set_state(v1::CREATE_STATE_EXECUTED);
    *response->add_entries()->mutable_create_asked() = response->create();
    v1::SessionEvent& paid = *response->add_entries()->mutable_event();
    paid.set_type(v1::SESSION_EVENT_TYPE_FINALIZED);
    paid.set_source(v1::SESSION_EVENT_SOURCE_RECONCILIATION);
    paid.set_order_id("o-1");
    *response->add_entries()->mutable_create_ended() = response->create();
    response->add_entries()->mutable_cancel_asked()->set_caller("till");
    response->set_older_events_gone(true);
    return grpc::Status::OK;
  };
  const std::string out = Out({"sessions", "explain", "s-1"});
  EXPECT_THAT(out, HasSubstr("create asked for"));
  EXPECT_THAT(out, HasSubstr("by order-service"));
  EXPECT_THAT(out, HasSubstr("FINALIZED         by RECONCILIATION"));
  EXPECT_THAT(out, HasSubstr("order o-1"));
  EXPECT_THAT(out, HasSubstr("cancel asked for  by till"));
  EXPECT_THAT(err_, HasSubstr("no longer kept"));
}

TEST_F(IppctlHistory, ExplainsOneThing) {
  EXPECT_EQ(RunAt(gateway_.address(), {"sessions", "explain"}).exit_code, 2);
  EXPECT_EQ(RunAt(gateway_.address(), {"sessions", "explain", "s", "--request-id", "r"}).exit_code,
            2);
}

class IppctlDay : public IppctlTest {
 protected:
  void SetUp() override {
    gateway_.reports.day = [this](auto*, const auto& request, auto* response) {
      asked_ = request;
      response->set_merchant_id("PM1");
      response->mutable_starts_at()->set_seconds(1'795'906'800);
      response->mutable_ends_at()->set_seconds(1'795'993'200);
      v1::DayTotal& total = *response->add_totals();
      total.set_currency("SEK");
      total.set_paid_count(2);
      total.set_paid_amount(123456);
      total.set_webhook_lost_count(1);
      v1::StatusCount& expired = *total.add_ended();
      expired.set_status(v1::SESSION_STATUS_EXPIRED);
      expired.set_count(3);
      v1::DeviceDayTotal& device = *response->add_devices();
      device.set_device_id("=d,1");
      *device.add_totals() = total;
      response->set_partial(true);
      return grpc::Status::OK;
    };
  }
  v1::GetDayReportRequest asked_;
};

TEST_F(IppctlDay, ShowsSumsAsMoney) {
  const std::string out =
      Out({"report", "day", "--date", "2026-11-29", "--time-zone", "Europe/Stockholm"});
  EXPECT_EQ(asked_.day(), "2026-11-29");
  EXPECT_EQ(asked_.time_zone(), "Europe/Stockholm");
  EXPECT_THAT(out, HasSubstr("1234.56 SEK"));
  EXPECT_THAT(out, HasSubstr("all "));
  EXPECT_THAT(err_, HasSubstr("sums are too small"));
}

TEST_F(IppctlDay, WritesCsvInMinorUnits) {
  EXPECT_EQ(Out({"report", "day", "--date", "2026-11-29", "--csv"}),
            "merchant,day,device,currency,paid,paid_minor_units,paid_amount_unknown,cancelled,"
            "expired,failed,open,corrected,corrected_paid_minor_units,webhook_lost\r\n"
            "PM1,2026-11-29,\"'=d,1\",SEK,2,123456,0,0,3,0,0,0,0,1\r\n");
}

TEST_F(IppctlDay, TakesThePhonesOfALocation) {
  gateway_.devices.list = [](auto*, const auto& request, auto* response) {
    if (request.location_id() == "l-1") response->add_devices()->set_id("d-1");
    return grpc::Status::OK;
  };
  Out({"report", "day", "--date", "2026-11-29", "--location", "l-1"});
  ASSERT_EQ(asked_.device_ids_size(), 1);
  EXPECT_EQ(asked_.device_ids(0), "d-1");
  EXPECT_NE(RunAt(gateway_.address(), {"report", "day", "--location", "l-2"}).exit_code, 0);
}

TEST_F(IppctlDay, IsTodayOfTheTimeZone) {
  Out({"report", "day", "--time-zone", "UTC"});
  EXPECT_THAT(asked_.day(), testing::MatchesRegex("20[0-9][0-9]-[01][0-9]-[0-3][0-9]"));
}

}  // namespace
}  // namespace ipp::ippctl
