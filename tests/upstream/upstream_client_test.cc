#include "server/upstream/upstream_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "kustom/ipp/v1/device.pb.h"
#include "tests/upstream/client_bed.h"

namespace ipp::upstream {
namespace {

using absl::Seconds;
using absl::StatusCode;
using namespace fixtures;  // NOLINT: the words of these tests
using http::FakeTransport;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

constexpr char kTrace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

std::map<std::string, std::string> HeadersOf(const http::HttpRequest& request) {
  std::map<std::string, std::string> headers(request.headers.begin(), request.headers.end());
  EXPECT_EQ(headers.size(), request.headers.size()) << "a header twice";
  return headers;
}

class UpstreamClientTest : public ClientBed {};

// ---- What is sent. ----

TEST_F(UpstreamClientTest, SendsAReadWithoutABody) {
  transport_.Answer(200, kSession);
  CallContext context = Context(Seconds(3));
  context.trace.traceparent = kTrace;
  GetSession(context);
  transport_.RunAll();
  ASSERT_THAT(transport_.requests(), SizeIs(1));
  const http::HttpRequest sent = transport_.requests()[0];
  EXPECT_EQ(sent.method, "GET");
  EXPECT_EQ(sent.target, absl::StrCat("/ipp/v1/sessions/", kId));
  EXPECT_EQ(sent.body, "");
  EXPECT_EQ(sent.repeatable, http::Repeatable::kYes);
  EXPECT_EQ(sent.deadline, context.deadline);
  EXPECT_EQ(HeadersOf(sent),
            (std::map<std::string, std::string>{{"authorization", absl::StrCat("Basic ", kKey)},
                                                {"accept", "application/json"},
                                                {"traceparent", kTrace}}));
}

TEST_F(UpstreamClientTest, SendsACreateAsJsonThatIsNotRepeated) {
  transport_.Answer(201, kSession);
  CreateSession(Context());
  transport_.RunAll();
  ASSERT_THAT(transport_.requests(), SizeIs(1));
  const http::HttpRequest sent = transport_.requests()[0];
  EXPECT_EQ(sent.method, "POST");
  EXPECT_THAT(sent.body, HasSubstr(absl::StrCat("\"device_id\":\"", kId, "\"")));
  EXPECT_EQ(sent.repeatable, http::Repeatable::kNo);
  EXPECT_EQ(HeadersOf(sent)["content-type"], "application/json");
  EXPECT_EQ(result_->status, absl::OkStatus());
  EXPECT_EQ(result_->outcome, Outcome::kExecuted);
  EXPECT_EQ(created_.session().session_id(), kId);
}

TEST_F(UpstreamClientTest, SaysThatACancelIsHarmless) {
  transport_.Answer(200, kSession);
  CancelSession(Context());
  transport_.RunAll();
  EXPECT_EQ(transport_.requests().at(0).repeatable, http::Repeatable::kHarmless);
  EXPECT_EQ(HeadersOf(transport_.requests()[0]).count("content-type"), 0u);
}

TEST_F(UpstreamClientTest, SendsUserNameAndKeyWhereAUserNameIsConfigured) {
  CallContext context = Context();
  context.merchant_id = "PM2";
  GetSession(context);
  transport_.RunAll();
  EXPECT_EQ(HeadersOf(transport_.requests().at(0))["authorization"],
            "Basic c2hvcDprcGtfdGVzdF81MUg=");
}

TEST_F(UpstreamClientTest, NamesTheMerchantWhereTheRouteWantsIt) {
  transport_.HandleWith([](const auto&) { return FakeTransport::Answered(500); });
  int named = 0;
  for (const auto& [name, route] : Routes().routes()) {
    if (!route.is_rest()) continue;
    auto* messages = google::protobuf::MessageFactory::generated_factory();
    std::unique_ptr<google::protobuf::Message> request(
        messages->GetPrototype(route.method()->input_type())->New());
    std::unique_ptr<google::protobuf::Message> response(
        messages->GetPrototype(route.method()->output_type())->New());
    for (const char* field : {"device_id", "session_id", "enrollment_id", "location_id"}) {
      const auto* id = request->GetDescriptor()->FindFieldByName(field);
      if (id != nullptr) request->GetReflection()->SetString(request.get(), id, kId);
    }
    const size_t before = transport_.requests().size();
    // One attempt: no pause fits.
    client_->Start(route, *request, response.get(), Context(absl::Nanoseconds(1)), [](auto) {});
    transport_.RunAll();
    ASSERT_GT(transport_.requests().size(), before) << name;
    const auto headers = HeadersOf(transport_.requests()[before]);
    EXPECT_EQ(headers.count("x-merchant-id"), route.options().merchant_header() ? 1u : 0u) << name;
    if (!route.options().merchant_header()) continue;
    EXPECT_EQ(headers.at("x-merchant-id"), "PM1") << name;
    ++named;
  }
  EXPECT_EQ(named, 4);  // both lists of the contract's beginning, and both of the locations
}

TEST_F(UpstreamClientTest, MakesATraceparentWhereNoneCame) {
  GetSession(Context());
  transport_.RunAll();
  EXPECT_THAT(HeadersOf(transport_.requests().at(0))["traceparent"], SizeIs(55));
}

TEST_F(UpstreamClientTest, KeepsTheTraceOverAttempts) {
  transport_.Answer(503);
  GetSession(Context());
  transport_.RunAll();
  PassPause();
  transport_.RunAll();
  ASSERT_THAT(transport_.requests(), SizeIs(2));
  EXPECT_EQ(HeadersOf(transport_.requests()[0]), HeadersOf(transport_.requests()[1]));
}

TEST_F(UpstreamClientTest, PutsThePageIntoTheQueryAndItsEnvelopeIntoTheResult) {
  transport_.Answer(200, absl::StrCat(R"({"content":[{"id":")", kId,
                                      R"("}],"total_elements":41,"page_number":2,"last":false})"));
  v1::ListDevicesResponse response;
  client_->Start(
      RouteOf("DeviceService/ListDevices"), v1::ListDevicesRequest(), &response, Context(),
      [&](CallResult result) { result_ = std::move(result); },
      routes::PageQuery{.number = 2, .size = 10});
  transport_.RunAll();
  EXPECT_EQ(transport_.requests().at(0).target, "/ipp/v1/devices?page_number=2&page_size=10");
  EXPECT_EQ(response.devices().at(0).id(), kId);
  EXPECT_EQ(result_->page.total_elements(), 41);
  EXPECT_FALSE(result_->page.last());
}

TEST_F(UpstreamClientTest, TakesAnyBodyWhereTheRouteUsesNone) {
  transport_.Answer(204);
  v1::DeleteDeviceRequest request;
  request.set_device_id(kId);
  v1::DeleteDeviceResponse response;
  Start("DeviceService/DeleteDevice", request, &response, Context());
  transport_.RunAll();
  EXPECT_EQ(result_->status, absl::OkStatus());
  EXPECT_EQ(result_->outcome, Outcome::kExecuted);
}

// ---- Answers that cannot be read. ----

TEST_F(UpstreamClientTest, CallsAReadsMalformedAnswerInternalAndDoesNotAskAgain) {
  transport_.Answer(200, R"({"session_id":{}})");
  GetSession(Context());
  transport_.RunAll();
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(result_->status.code(), StatusCode::kInternal);
  EXPECT_EQ(result_->outcome, Outcome::kExecuted);
  EXPECT_EQ(Detail().reason, "UPSTREAM_MALFORMED");
  EXPECT_THAT(std::string(result_->status.message()), HasSubstr("session_id"));
  EXPECT_EQ(Count("GetSession", "malformed"), 1);
}

TEST_F(UpstreamClientTest, DoesNotKnowWhatACreateWithAMalformedAnswerDid) {
  transport_.Answer(201, "");
  CreateSession(Context());
  transport_.RunAll();
  EXPECT_EQ(result_->status.code(), StatusCode::kInternal);
  EXPECT_EQ(result_->outcome, Outcome::kUnknown);
  EXPECT_EQ(Detail().metadata.at("retry_safe"), "false");
}

TEST_F(UpstreamClientTest, KnowsThatACancelWithAMalformedAnswerWasDone) {
  transport_.Answer(200, "[]");
  CancelSession(Context());
  transport_.RunAll();
  EXPECT_EQ(result_->status.code(), StatusCode::kInternal);
  EXPECT_EQ(result_->outcome, Outcome::kExecuted);
  EXPECT_EQ(Detail().metadata.at("retry_safe"), "true");
}

TEST_F(UpstreamClientTest, CountsFieldsThatTheContractDoesNotKnow) {
  transport_.HandleWith([](const auto&) {
    return FakeTransport::Answered(200, absl::StrCat(R"({"session_id":")", kId,
                                                     R"(","status":"ACTIVE","mood":"fine",
                                                "order_items":[{"vat_class":1}]})"));
  });
  for (int i = 0; i < 2; ++i) {
    result_.reset();
    GetSession(Context());
    transport_.RunAll();
    EXPECT_EQ(result_->status, absl::OkStatus());
  }
  for (const char* field : {"mood", "order_items[].vat_class"}) {
    EXPECT_EQ(metrics_.counter("ipp_upstream_unknown_fields_total", "", {{"field", field}}).value(),
              2)
        << field;
  }
}

TEST_F(UpstreamClientTest, BoundsHowManyUnknownFieldsItNames) {
  std::string body = "{";
  for (int i = 0; i < 1000; ++i) absl::StrAppend(&body, "\"field", i, "\":", i, ",");
  absl::StrAppend(&body, "\"session_id\":\"", kId, "\",\"status\":\"CREATED\"}");
  transport_.Answer(200, body);
  GetSession(Context());
  transport_.RunAll();
  EXPECT_EQ(get_.session().session_id(), kId);
  const std::string text = metrics_.Text();
  EXPECT_THAT(text, HasSubstr("ipp_upstream_unknown_fields_total{field=\"field199\"} 1"));
  EXPECT_THAT(text, Not(HasSubstr("field=\"field200\"")));
  EXPECT_THAT(text, HasSubstr("ipp_upstream_unknown_fields_total{field=\"other\"} 800"));
}

// ---- What is not sent at all. ----

TEST_F(UpstreamClientTest, SendsNothingForAMerchantWithoutAKey) {
  CallContext context = Context();
  context.merchant_id = "PM9";
  CreateSession(context);
  EXPECT_FALSE(result_.has_value());
  scheduler_.Advance(absl::ZeroDuration());
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(result_->status.code(), StatusCode::kInternal);
  EXPECT_EQ(result_->outcome, Outcome::kNotSent);
  EXPECT_EQ(Detail().reason, "UPSTREAM_CREDENTIALS");
  EXPECT_EQ(transport_.in_flight(), 0u);
}

TEST_F(UpstreamClientTest, SendsNothingForARequestThatIsNoPath) {
  v1::GetSessionRequest request;  // without an id
  Start("SessionService/GetSession", request, &get_, Context());
  EXPECT_FALSE(result_.has_value());
  scheduler_.Advance(absl::ZeroDuration());
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(result_->status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(result_->outcome, Outcome::kNotSent);
  EXPECT_EQ(transport_.in_flight(), 0u);
}

TEST_F(UpstreamClientTest, EndsEveryCallWithTheTransport) {
  auto transport = std::make_unique<FakeTransport>(&clock_);
  UpstreamClient client(transport.get(), &credentials_, &Routes(), &clock_, &scheduler_, &metrics_,
                        {});
  v1::GetSessionRequest request;
  request.set_session_id(kId);
  int ended = 0;
  v1::GetSessionResponse responses[3];
  for (auto& response : responses) {
    client.Start(RouteOf("SessionService/GetSession"), request, &response, Context(),
                 [&](CallResult result) {
                   EXPECT_TRUE(absl::IsCancelled(result.status));
                   ++ended;
                 });
  }
  transport->RunAll();
  transport.reset();
  EXPECT_EQ(ended, 3);
}

// An upstream echoes the key: the caller gets it in no form.
TEST_F(UpstreamClientTest, KeepsBothFormsOfTheKeyOutOfErrors) {
  for (const char* merchant : {"PM1", "PM2"}) {
    transport_.HandleWith([](const http::HttpRequest& request) {
      return FakeTransport::Answered(
          400, absl::StrCat(R"({"detail":"what is ')", HeadersOf(request)["authorization"],
                            R"(' for ')", kKey, R"('?"})"));
    });
    result_.reset();
    CallContext context = Context();
    context.merchant_id = merchant;
    GetSession(context);
    transport_.RunAll();
    const std::string message(result_->status.message());
    EXPECT_THAT(message, HasSubstr("what is 'Basic ***' for '***'?")) << merchant;
  }
}

}  // namespace
}  // namespace ipp::upstream
