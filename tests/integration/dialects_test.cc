// The whole story of a shop, once in each way in which the upstream may word what it says.

#include "simulator/dialects.h"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/time_util.h"
#include "kustom/ipp/v1/device.grpc.pb.h"
#include "kustom/ipp/v1/enrollment.grpc.pb.h"
#include "kustom/ipp/v1/location.grpc.pb.h"
#include "kustom/ipp/v1/outcome.grpc.pb.h"
#include "kustom/ipp/v1/simulation.grpc.pb.h"
#include "tests/support/gateway_streams.h"
#include "tests/support/gateway_under_test.h"

namespace ipp {

namespace simulator {
void PrintTo(const Dialect& dialect, std::ostream* out) { *out << dialect.name; }
}  // namespace simulator

namespace {

namespace v1 = kustom::ipp::v1;
using google::protobuf::util::TimeUtil;
using grpc::StatusCode;
using simulator::Dialect;
using testing::ElementsAre;
using Sessions = v1::SessionService::Stub;

GatewayBed::Options Speaking(const std::vector<std::string>& dialects) {
  GatewayBed::Options options;
  options.simulator.dialects = dialects;
  options.configure = [](const TestDirectory&, config::Config& config) {
    config::Reconcile& reconcile = *config.mutable_reconcile();
    *reconcile.mutable_first() = TimeUtil::MillisecondsToDuration(100);
    *reconcile.mutable_max() = TimeUtil::MillisecondsToDuration(200);
    *reconcile.mutable_watched() = TimeUtil::MillisecondsToDuration(100);
    reconcile.set_reads_per_second(1000);
  };
  return options;
}

class Shop : public testing::TestWithParam<Dialect> {
 protected:
  Shop() : bed_(Speaking({std::string(GetParam().name)})) {}

  // What the upstream knows, in plain words.
  boost::json::value Truth(const std::string& page) const {
    return boost::json::parse(bed_.simulator.Control("GET", page));
  }
  std::string LastSession() const {
    const boost::json::value page = Truth("/_sim/sessions");
    return std::string(page.at("sessions").as_array().back().at("session_id").as_string());
  }
  std::string StatusOf(const std::string& session) const {
    const boost::json::value page = Truth("/_sim/sessions");
    for (const auto& each : page.at("sessions").as_array()) {
      if (each.at("session_id").as_string() == session) {
        return std::string(each.at("status").as_string());
      }
    }
    return "";
  }
  void Break(const std::string& operation, const std::string& fault) const {
    bed_.simulator.Control(
        "PUT", "/_sim/faults",
        absl::StrCat(R"({"faults": [{"on": ")", operation, R"(", )", fault, "}]}"));
  }

  // A code, and the phone that typed it; its id as the upstream knows it.
  std::string PairPhone() const {
    const auto locations =
        bed_.Call(&v1::LocationService::Stub::ListLocations, v1::ListLocationsRequest());
    EXPECT_TRUE(Ok(locations));
    EXPECT_EQ(locations.response.locations_size(), 2);
    EXPECT_EQ(locations.response.locations(0).id(), kLocation1);
    v1::CreateEnrollmentRequest request;
    request.set_location_id(locations.response.locations(0).id());
    request.set_ttl(v1::ENROLLMENT_TTL_TWO_HOURS);
    const auto enrollment = bed_.Call(&v1::EnrollmentService::Stub::CreateEnrollment, request);
    EXPECT_TRUE(Ok(enrollment));
    return bed_.simulator.Consume(enrollment.response.enrollment().enrollment_code());
  }

  v1::CreateSessionRequest Order(const std::string& device, const std::string& id = "") const {
    auto request = Text<v1::CreateSessionRequest>(OrderText(device));
    request.set_request_id(id);
    return request;
  }

  Reply<v1::GetSessionResponse> Read(const std::string& session) const {
    v1::GetSessionRequest request;
    request.set_session_id(session);
    return bed_.Call(&Sessions::GetSession, request);
  }

  SessionWatch Watch(const std::string& session) const {
    v1::WatchSessionRequest request;
    request.set_session_id(session);
    return SessionWatch(bed_.gateway.channel(), request);
  }

  // The types of a session's events up to the terminal one, or the first of type `last`, without
  // those that only add details.
  std::vector<std::string> Story(EventFeed* feed, const std::string& session,
                                 const std::string& last = "") const {
    std::vector<std::string> types;
    // A stream that has ended must not be read again.
    while (!HasFailure() && (types.empty() || !(IsEnd(types.back()) || types.back() == last))) {
      const v1::SessionEvent event = feed->NextEvent();
      if (event.event_id().empty()) break;
      EXPECT_EQ(event.merchant_id(), kMerchant);
      // Of any session, also after its end.
      if (ShortName(event.type()) == "DETAILS") continue;
      EXPECT_EQ(event.session_id(), session);
      types.push_back(ShortName(event.type()));
    }
    return types;
  }
  static bool IsEnd(const std::string& type) {
    return type == "FINALIZED" || type == "CANCELLED" || type == "EXPIRED" || type == "FAILED";
  }

  GatewayBed bed_;
};

std::string NameOf(const testing::TestParamInfo<Dialect>& info) {
  return absl::StrReplaceAll(std::string(info.param.name), {{"-", "_"}});
}

INSTANTIATE_TEST_SUITE_P(Dialects, Shop, testing::ValuesIn(simulator::DialectTable()), NameOf);

constexpr char kRequestId[] = "0a0b0c0d-0000-4000-8000-00000000000a";

TEST_P(Shop, PairsSellsCancelsAndSeesAnExpiry) {
  const std::string device = PairPhone();
  const auto devices = bed_.Call(&v1::DeviceService::Stub::ListDevices, v1::ListDevicesRequest());
  ASSERT_TRUE(Ok(devices));
  ASSERT_EQ(devices.response.devices_size(), 1);
  EXPECT_EQ(devices.response.devices(0).id(), device);

  EventFeed feed(bed_.gateway.channel(), "position: START_POSITION_FROM_NOW");

  // A payment: a declined card, then a good one.
  const auto made = bed_.Call(&Sessions::CreateSession, Order(device, kRequestId));
  ASSERT_TRUE(Ok(made));
  const std::string paid = LastSession();
  EXPECT_EQ(made.response.session().session_id(), paid);
  EXPECT_EQ(made.response.session().status(), v1::SESSION_STATUS_CREATED);
  EXPECT_EQ(made.response.session().order_amount(), 25000);
  EXPECT_EQ(made.response.session().purchase_currency(), "SEK");
  EXPECT_FALSE(made.response.replayed());
  const auto again = bed_.Call(&Sessions::CreateSession, Order(device, kRequestId));
  ASSERT_TRUE(Ok(again));
  EXPECT_TRUE(again.response.replayed());
  EXPECT_EQ(again.response.session().session_id(), paid);
  v1::GetCreateOutcomeRequest outcome;
  outcome.set_request_id(kRequestId);
  const auto told = bed_.Call(&v1::OutcomeService::Stub::GetCreateOutcome, outcome);
  ASSERT_TRUE(Ok(told));
  EXPECT_EQ(told.response.outcome().state(), v1::CREATE_STATE_EXECUTED);
  EXPECT_EQ(told.response.outcome().session_id(), paid);

  SessionWatch watch = Watch(paid);
  EXPECT_EQ(watch.NextStep(), "CREATED");
  bed_.Tap(paid, "LOST_CARD");
  EXPECT_THAT(Story(&feed, paid, "PAYMENT_FAILED"),
              ElementsAre("CREATED", "ACTIVATED", "PAYMENT_FAILED"));
  // Only now: a read of the finished session may overtake the webhook of the declined card.
  bed_.Tap(paid);
  EXPECT_THAT(Story(&feed, paid), ElementsAre("FINALIZED"));
  EXPECT_TRUE(Ok(watch.End()));
  const auto read = Read(paid);
  ASSERT_TRUE(Ok(read));
  EXPECT_EQ(read.response.session().session_id(), paid);
  EXPECT_EQ(read.response.session().status(), v1::SESSION_STATUS_FINALIZED);
  EXPECT_EQ(read.response.session().order_amount(), 25000);

  // One that is cancelled.
  ASSERT_TRUE(Ok(bed_.Call(&Sessions::CreateSession, Order(device))));
  v1::CancelSessionRequest cancel;
  cancel.set_session_id(LastSession());
  const auto cancelled = bed_.Call(&Sessions::CancelSession, cancel);
  ASSERT_TRUE(Ok(cancelled));
  EXPECT_EQ(cancelled.response.session().status(), v1::SESSION_STATUS_CANCELLED);
  EXPECT_THAT(Story(&feed, cancel.session_id()), ElementsAre("CREATED", "CANCELLED"));

  // One that is never paid: no webhook announces its end.
  ASSERT_TRUE(Ok(bed_.Call(&Sessions::CreateSession, Order(device))));
  const std::string open = LastSession();
  SessionWatch waiting = Watch(open);
  EXPECT_EQ(waiting.NextStep(), "CREATED");
  bed_.simulator.Step(open, "expire");
  EXPECT_THAT(Story(&feed, open), ElementsAre("CREATED", "EXPIRED"));
  EXPECT_TRUE(Ok(waiting.End()));

  // Every webhook was taken at once.
  bed_.gateway.WaitForMetric("ipp_webhooks_total", 7);
  for (const char* result : {"malformed", "wrong_merchant", "ignored", "bad_signature"}) {
    EXPECT_EQ(bed_.gateway.Metric("ipp_webhooks_total", {absl::StrCat("result=\"", result, "\"")}),
              0)
        << result;
  }
}

TEST_P(Shop, KeepsItsPhonesInOrder) {
  v1::CreateSimulatedDeviceRequest request;
  request.set_name("Till 1");
  request.set_location_id(kLocation2);
  const auto made = bed_.Call(&v1::SimulationService::Stub::CreateSimulatedDevice, request);
  ASSERT_TRUE(Ok(made));
  const std::string device = made.response.device().id();
  v1::UpdateDeviceRequest update;
  update.set_device_id(device);
  update.mutable_settings()->set_name("Till 2");
  EXPECT_TRUE(Ok(bed_.Call(&v1::DeviceService::Stub::UpdateDevice, update)));
  EXPECT_EQ(Truth("/_sim/devices").at("devices").at(0).at("name").as_string(), "Till 2");
  v1::GetDeviceRequest get;
  get.set_device_id(device);
  EXPECT_TRUE(Ok(bed_.Call(&v1::DeviceService::Stub::GetDevice, get)));

  v1::CreateEnrollmentRequest code;
  code.set_location_id(kLocation1);
  code.set_ttl(v1::ENROLLMENT_TTL_TWO_HOURS);
  const auto enrollment = bed_.Call(&v1::EnrollmentService::Stub::CreateEnrollment, code);
  ASSERT_TRUE(Ok(enrollment));
  v1::DeleteEnrollmentRequest withdraw;
  withdraw.set_enrollment_id(enrollment.response.enrollment().enrollment_id());
  EXPECT_TRUE(Ok(bed_.Call(&v1::EnrollmentService::Stub::DeleteEnrollment, withdraw)));
  const auto codes =
      bed_.Call(&v1::EnrollmentService::Stub::ListEnrollments, v1::ListEnrollmentsRequest());
  ASSERT_TRUE(Ok(codes));
  EXPECT_EQ(codes.response.enrollments_size(), 0);

  v1::DeleteDeviceRequest remove;
  remove.set_device_id(device);
  EXPECT_TRUE(Ok(bed_.Call(&v1::DeviceService::Stub::DeleteDevice, remove)));
  EXPECT_TRUE(Refused(bed_.Call(&v1::DeviceService::Stub::DeleteDevice, remove),
                      StatusCode::NOT_FOUND, "NOT_FOUND"));
}

// How a create ends that the upstream refuses like this.
struct RefusalRow {
  const char* fault;
  StatusCode code;
  const char* reason;
};

TEST_P(Shop, IsToldOfErrorsByTheirKind) {
  const std::string device = bed_.NewDevice();
  EXPECT_TRUE(Refused(Read(kNobody), StatusCode::NOT_FOUND, "NOT_FOUND"));
  // A page of HTML is no word of the API about the key.
  const bool html = GetParam().name == "errors-html";
  const RefusalRow rows[] = {
      {R"("do": "error_before", "status": 400)", StatusCode::INVALID_ARGUMENT, "UPSTREAM_REFUSED"},
      {R"("do": "error_before", "status": 401)", StatusCode::INTERNAL,
       html ? "UPSTREAM_BLOCKED" : "UPSTREAM_CREDENTIALS"},
      {R"("do": "error_before", "status": 409)", StatusCode::FAILED_PRECONDITION,
       "UPSTREAM_CONFLICT"},
      {R"("do": "too_many", "retry_after": 2)", StatusCode::RESOURCE_EXHAUSTED,
       "UPSTREAM_RATE_LIMIT"},
  };
  for (const RefusalRow& row : rows) {
    Break("create_session", row.fault);
    const auto reply = bed_.Call(&Sessions::CreateSession, Order(device));
    EXPECT_TRUE(Refused(reply, row.code, row.reason)) << row.fault;
    EXPECT_EQ(reply.info("outcome"), "REJECTED") << row.fault;
    if (row.code == StatusCode::RESOURCE_EXHAUSTED) {
      ASSERT_TRUE(reply.detail.retry_after.has_value());
      EXPECT_GT(*reply.detail.retry_after, absl::ZeroDuration());
    }
  }
}

// The answer is an error although the session was made: its webhook, and what is read then, tell.
TEST_P(Shop, LearnsWhatBecameOfACreateFromItsWebhook) {
  if (!GetParam().keeps_references) return;  // it cannot be known whose session it is
  const std::string device = bed_.NewDevice();
  Break("create_session", R"("do": "error_after", "status": 503, "retry_after": 2)");
  const auto reply = bed_.Call(&Sessions::CreateSession, Order(device, kRequestId));
  ASSERT_TRUE(Ok(reply));
  EXPECT_EQ(reply.response.session().session_id(), LastSession());
}

// Several at once, as a real service would differ.
TEST(Shops, SellInManyDialectsAtOnce) {
  GatewayBed bed(
      Speaking({"unknown-members", "dates-nine-digits", "numbers-as-strings",
                "failure-reason-object", "metadata-mixed", "words-lower-case", "ids-upper-case",
                "errors-other-apis", "codes-created", "webhook-no-timestamp", "webhook-bare-type",
                "content-types", "escaped", "byte-order-mark", "gzip"}));
  EventFeed feed(bed.gateway.channel(), "position: START_POSITION_FROM_NOW");
  const std::string session = bed.NewSession();
  bed.Tap(session, "LOST_CARD");
  std::vector<std::string> types;
  do {
    const std::string type = ShortName(feed.NextEvent().type());
    if (type != "DETAILS") types.push_back(type);
    if (type == "PAYMENT_FAILED") bed.Tap(session);
  } while (types.size() < 4);
  EXPECT_THAT(types, ElementsAre("CREATED", "ACTIVATED", "PAYMENT_FAILED", "FINALIZED"));
}

}  // namespace
}  // namespace ipp
