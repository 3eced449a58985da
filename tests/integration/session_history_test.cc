// What the gateway has seen: the search, the history of one session, the day's sums.

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "kustom/ipp/v1/location.grpc.pb.h"
#include "kustom/ipp/v1/report.grpc.pb.h"
#include "kustom/ipp/v1/session.grpc.pb.h"
#include "kustom/ipp/v1/session_history.grpc.pb.h"
#include "tests/support/gateway_streams.h"
#include "tests/support/gateway_under_test.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;
using History = v1::SessionHistoryService::Stub;
using Reports = v1::ReportService::Stub;
using Sessions = v1::SessionService::Stub;
using grpc::StatusCode;
using testing::ElementsAre;

constexpr char kId[] = "0a0b0c0d-0000-4000-8000-00000000000a";

class Seen : public testing::Test {
 protected:
  static CallOptions Shop() { return AsCaller("shop", ""); }

  v1::Session Sell(const std::string& receipt, const std::string& request_id = "") {
    auto order = Text<v1::CreateSessionRequest>(OrderText(device_));
    order.set_merchant_reference1(receipt);
    order.set_request_id(request_id);
    const auto reply = bed_.Call(&Sessions::CreateSession, order, Shop());
    EXPECT_TRUE(Ok(reply));
    return reply.response.session();
  }
  v1::ListSessionsResponse List(const std::string& request) {
    const auto reply =
        bed_.Call(&History::ListSessions, Text<v1::ListSessionsRequest>(request), Shop());
    EXPECT_TRUE(Ok(reply));
    return reply.response;
  }
  std::vector<std::string> Ids(const std::string& request) {
    std::vector<std::string> ids;
    const v1::ListSessionsResponse listed = List(request);
    for (const auto& known : listed.sessions()) ids.push_back(known.session().session_id());
    return ids;
  }
  v1::GetSessionHistoryResponse Explain(const std::string& request) {
    const auto reply =
        bed_.Call(&History::GetSessionHistory, Text<v1::GetSessionHistoryRequest>(request), Shop());
    EXPECT_TRUE(Ok(reply));
    return reply.response;
  }
  static std::vector<std::string> Steps(const v1::GetSessionHistoryResponse& history) {
    std::vector<std::string> steps;
    for (const v1::SessionHistoryEntry& entry : history.entries()) {
      switch (entry.entry_case()) {
        case v1::SessionHistoryEntry::kCreateAsked:
          steps.push_back("asked by " + entry.create_asked().caller());
          break;
        case v1::SessionHistoryEntry::kCreateEnded:
          steps.push_back(v1::CreateState_Name(entry.create_ended().state()));
          break;
        case v1::SessionHistoryEntry::kEvent:
          steps.push_back(v1::SessionEventType_Name(entry.event().type()).substr(19));
          break;
        case v1::SessionHistoryEntry::kCancelAsked:
          steps.push_back("cancel by " + entry.cancel_asked().caller());
          break;
        case v1::SessionHistoryEntry::ENTRY_NOT_SET:
          steps.push_back("?");
      }
    }
    return steps;
  }
  void Pay(const std::string& session) {
    bed_.Tap(session, "SUCCESS", Shop());
    EventFeed feed(bed_.gateway.channel(), "position: START_POSITION_FROM_OLDEST", Shop());
    while (true) {
      const v1::SessionEvent event = feed.NextEvent();
      if (event.session_id() == session && event.type() == v1::SESSION_EVENT_TYPE_FINALIZED) return;
    }
  }

  GatewayBed bed_{{.configure = [](const TestDirectory& directory, config::Config& config) {
    AddCaller(directory, "shop", {kMerchant}, {"*"}, &config);
    AddCaller(directory, "till", {kMerchant}, {"sessions.*"}, &config);
  }}};
  const std::string device_ = bed_.NewDevice("Till 3", Shop());
};

TEST_F(Seen, AReceiptHasOneAnswer) {
  const std::string session = Sell("4711", kId).session_id();
  const std::string other = Sell("4712").session_id();
  Pay(session);
  v1::CancelSessionRequest cancel;
  cancel.set_session_id(session);
  EXPECT_TRUE(Refused(bed_.Call(&Sessions::CancelSession, cancel, AsCaller("till", "")),
                      StatusCode::FAILED_PRECONDITION, "SESSION_ALREADY_FINALIZED"));

  const auto found = List("merchant_reference1: '4711'");
  ASSERT_EQ(found.sessions_size(), 1);
  const v1::KnownSession& known = found.sessions(0);
  EXPECT_EQ(known.session().session_id(), session);
  EXPECT_EQ(known.session().status(), v1::SESSION_STATUS_FINALIZED);
  EXPECT_EQ(known.session().order_items_size(), 0);
  EXPECT_EQ(known.request_id(), kId);
  EXPECT_EQ(known.merchant_id(), kMerchant);
  EXPECT_FALSE(found.indexing());

  const auto history = Explain(absl::StrCat("session_id: '", session, "'"));
  const std::vector<std::string> steps = Steps(history);
  ASSERT_GE(steps.size(), 5u) << history.ShortDebugString();
  EXPECT_EQ(steps[0], "asked by shop");
  EXPECT_EQ(steps[1], "CREATED");
  EXPECT_EQ(steps[2], "CREATE_STATE_EXECUTED");
  EXPECT_THAT(steps, testing::Contains("FINALIZED"));
  EXPECT_EQ(steps.back(), "cancel by till");
  EXPECT_EQ(history.create().request_id(), kId);
  EXPECT_EQ(history.session().session().session_id(), session);
  EXPECT_FALSE(history.older_events_gone());
  EXPECT_FALSE(history.truncated());
  EXPECT_EQ(Explain(absl::StrCat("request_id: '", kId, "'")).SerializeAsString(),
            history.SerializeAsString());

  EXPECT_THAT(Ids(absl::StrCat("order_id: '", known.session().order_id(), "'")),
              ElementsAre(session));
  EXPECT_THAT(Ids(absl::StrCat("request_id: '", kId, "'")), ElementsAre(session));
  EXPECT_THAT(Ids(absl::StrCat("device_id: '", device_, "'")), ElementsAre(other, session));
  EXPECT_THAT(Ids("statuses: SESSION_STATUS_CREATED"), ElementsAre(other));
  EXPECT_THAT(Ids("statuses: [SESSION_STATUS_FINALIZED, SESSION_STATUS_FAILED]"),
              ElementsAre(session));
  EXPECT_THAT(Ids("created_from {seconds: 9000000000}"), testing::IsEmpty());
  EXPECT_THAT(Ids("updated_before {seconds: 9000000000}"),
              testing::UnorderedElementsAre(other, session));
}

TEST_F(Seen, PagesHoldEachSessionOnce) {
  std::set<std::string> made;
  for (int i = 0; i < 5; ++i) made.insert(Sell(absl::StrCat(i)).session_id());
  std::set<std::string> listed;
  std::string token;
  int pages = 0;
  do {
    const auto page = List(absl::StrCat("page_size: 2 page_token: '", token, "'"));
    for (const auto& known : page.sessions()) {
      EXPECT_TRUE(listed.insert(known.session().session_id()).second);
    }
    token = page.next_page_token();
    ++pages;
  } while (!token.empty());
  EXPECT_EQ(pages, 3);
  EXPECT_EQ(listed, made);
  const auto first = List("page_size: 2");
  const auto foreign = bed_.Call(&History::ListSessions,
                                 Text<v1::ListSessionsRequest>(absl::StrCat(
                                     "page_size: 3 page_token: '", first.next_page_token(), "'")),
                                 Shop());
  EXPECT_TRUE(Refused(foreign, StatusCode::INVALID_ARGUMENT, "INVALID_REQUEST"));
}

TEST_F(Seen, ALocationIsThatOfTheCreate) {
  const auto locations =
      bed_.Call(&v1::LocationService::Stub::ListLocations, v1::ListLocationsRequest(), Shop());
  ASSERT_TRUE(Ok(locations));
  const std::string location = locations.response.locations(0).id();
  auto order = Text<v1::CreateSessionRequest>(OrderText(device_));
  order.set_location_id(location);
  const auto reply = bed_.Call(&Sessions::CreateSession, order, Shop());
  ASSERT_TRUE(Ok(reply));
  Sell("other");
  EXPECT_THAT(Ids(absl::StrCat("location_id: '", location, "'")),
              ElementsAre(reply.response.session().session_id()));
}

TEST_F(Seen, ACreateThatWasRefusedHasAHistoryToo) {
  bed_.simulator.Control(
      "PUT", "/_sim/faults",
      R"({"faults": [{"on": "create_session", "do": "error_before", "status": 422}]})");
  auto order = Text<v1::CreateSessionRequest>(OrderText(device_));
  order.set_request_id(kId);
  EXPECT_FALSE(bed_.Call(&Sessions::CreateSession, order, Shop()).ok());
  const auto history = Explain(absl::StrCat("request_id: '", kId, "'"));
  EXPECT_FALSE(history.has_session());
  EXPECT_THAT(Steps(history), ElementsAre("asked by shop", "CREATE_STATE_REJECTED"));
  EXPECT_TRUE(
      Refused(bed_.Call(&History::GetSessionHistory,
                        Text<v1::GetSessionHistoryRequest>(absl::StrCat("session_id: '", kId, "'")),
                        Shop()),
              StatusCode::NOT_FOUND, "SESSION_NOT_FOUND"));
}

// A time zone in which it is about noon, so that no test meets midnight.
std::string NoonZone(absl::TimeZone* zone) {
  const int hour = absl::ToCivilHour(absl::Now(), absl::UTCTimeZone()).hour();
  const int east = 12 - hour;
  const std::string name = absl::StrCat("Etc/GMT", east > 0 ? "-" : "+", east > 0 ? east : -east);
  EXPECT_TRUE(absl::LoadTimeZone(name, zone)) << name;
  return name;
}

TEST_F(Seen, ADayIsAddedUpAlikeAfterARestart) {
  const v1::Session paid = Sell("1");
  Sell("2");
  Pay(paid.session_id());
  absl::TimeZone zone;
  v1::GetDayReportRequest request;
  request.set_time_zone(NoonZone(&zone));
  request.set_day(absl::FormatTime("%Y-%m-%d", absl::Now(), zone));
  const auto day = bed_.Call(&Reports::GetDayReport, request, Shop());
  ASSERT_TRUE(Ok(day));
  ASSERT_EQ(day.response.totals_size(), 1) << day.response.ShortDebugString();
  const v1::DayTotal& total = day.response.totals(0);
  EXPECT_EQ(total.currency(), paid.purchase_currency());
  EXPECT_EQ(total.paid_count(), 1);
  EXPECT_EQ(total.paid_amount(), paid.order_amount());
  EXPECT_EQ(total.open_count(), 1);
  ASSERT_EQ(day.response.devices_size(), 1);
  EXPECT_EQ(day.response.devices(0).device_id(), device_);
  EXPECT_FALSE(day.response.has_complete_since());
  EXPECT_FALSE(day.response.partial());

  bed_.RestartGateway();
  auto again = bed_.Call(&Reports::GetDayReport, request, Shop());
  ASSERT_TRUE(Ok(again));
  *again.response.mutable_as_of() = day.response.as_of();
  EXPECT_EQ(again.response.SerializeAsString(), day.response.SerializeAsString());

  request.add_device_ids(kId);
  EXPECT_EQ(bed_.Call(&Reports::GetDayReport, request, Shop()).response.totals_size(), 0);
  request.clear_device_ids();
  EXPECT_TRUE(Refused(bed_.Call(&Reports::GetDayReport, request, AsCaller("till", "")),
                      StatusCode::PERMISSION_DENIED, "PERMISSION_MISSING"));
  request.set_time_zone("Europe/Atlantis");
  const auto nowhere = bed_.Call(&Reports::GetDayReport, request, Shop());
  EXPECT_TRUE(Refused(nowhere, StatusCode::INVALID_ARGUMENT, "INVALID_REQUEST"));
  EXPECT_THAT(nowhere.fields(), ElementsAre("time_zone"));
}

}  // namespace
}  // namespace ipp
