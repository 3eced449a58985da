// An upstream whose answers and webhooks hold unexpected values: everything still
// does its work.

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "kustom/ipp/v1/device.grpc.pb.h"
#include "kustom/ipp/v1/session.grpc.pb.h"
#include "kustom/ipp/v1/session_event.grpc.pb.h"
#include "server/base/mutex.h"
#include "tests/support/gateway_streams.h"
#include "tests/support/gateway_under_test.h"
#include "tests/support/http_gate.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;
using Devices = v1::DeviceService::Stub;
using Sessions = v1::SessionService::Stub;
using http::GatePeer;
using http::GateRequest;
using http::HttpGate;
using testing::Contains;

constexpr char kSecret[] = "whsec_aXBwLXNpbXVsYXRvci1kZWZhdWx0LXNlY3JldC0wMDE=";

struct OddRow {
  const char* name;
  const char* member;   // of a session
  const char* field;    // that is named as not readable; empty: it can be read
  const char* webhook;  // members of the webhook beside id, type and session
};
void PrintTo(const OddRow& row, std::ostream* out) { *out << row.name; }

const OddRow kRows[] = {
    {"EmptyTime", R"("purchase_started_at":"")", "purchase_started_at", R"("timestamp":"")"},
    {"TimeWithoutZone", R"("purchase_started_at":"2026-01-02T03:04:05")", "purchase_started_at",
     R"("timestamp":"2026-01-02T03:04:05")"},
    {"TimeWithoutColon", R"("purchase_started_at":"2026-01-02T03:04:05+0000")", "",
     R"("timestamp":"2026-01-02T03:04:05+0000")"},
    {"TimeAsNumber", R"("purchase_completed_at":1790000000)", "purchase_completed_at",
     R"("timestamp":1790000000)"},
    {"QuantityWithAFraction", R"("order_items":[{"name":"Tea","quantity":1.5}])",
     "order_items[].quantity", R"("merchant_id":null)"},
    {"MerchantDataAsObject", R"("merchant_data":{"till":7})", "merchant_data",
     R"("failure_reason":{"code":"x"})"},
    {"ReasonAsObject", R"("order_id":{})", "order_id", R"("data":{"failure_reason":{"code":"x"}})"},
    {"DataAsText", R"("order_items":"none")", "order_items", R"("data":"odd")"},
    {"HalfACharacter", R"("merchant_reference1":"caf\ud83d")", "merchant_reference1",
     R"("data":{"order_id":["\ud83d"]})"},
    {"AmountInWords", R"("order_amount":"lots")", "order_amount", R"("data":[1,null])"},
};

class OddUpstream : public testing::TestWithParam<OddRow> {
 protected:
  OddUpstream()
      : gate_([this](const GateRequest& request, GatePeer& peer) { Say(request, peer); }) {
    config::Config config = TestConfig(directory_, absl::StrCat("http://127.0.0.1:", gate_.port()));
    config.mutable_merchants(0)->set_webhook_secrets_file(
        directory_.Write("secrets", absl::StrCat(kSecret, "\n")));
    gateway_ = std::make_unique<RunningGateway>(config);
  }

  // Words in an odd letter case too, and a byte order mark.
  void Say(const GateRequest& request, GatePeer& peer) const {
    const bool cancelled = absl::EndsWith(request.target, "/cancel");
    peer.Respond(request.method == "POST" ? 201 : 200,
                 absl::StrCat("\xef\xbb\xbf{\"session_id\":\"", kNobody, "\",", GetParam().member,
                              R"(,"status":")", cancelled ? "Cancelled" : "created",
                              R"(","purchase_currency":"SEK"})"));
  }
  void ExpectRead(const v1::Session& session) {
    EXPECT_EQ(session.session_id(), kNobody);
    EXPECT_EQ(session.purchase_currency(), "SEK") << "what comes behind it is read";
    if (*GetParam().field != '\0') {
      EXPECT_THAT(session.unreadable_fields(), Contains(GetParam().field));
    } else {
      EXPECT_THAT(session.unreadable_fields(), testing::IsEmpty());
      EXPECT_TRUE(session.has_purchase_started_at());
    }
  }

  TestDirectory directory_;
  HttpGate gate_;
  std::unique_ptr<RunningGateway> gateway_;
};

TEST_P(OddUpstream, IsReadCreatedWithAndCancelled) {
  const auto created =
      gateway_->Call(&Sessions::CreateSession, Text<v1::CreateSessionRequest>(OrderText(kNobody)));
  ASSERT_TRUE(Ok(created));
  EXPECT_EQ(created.response.session().status(), v1::SESSION_STATUS_CREATED);
  ExpectRead(created.response.session());

  v1::GetSessionRequest get;
  get.set_session_id(kNobody);
  const auto read = gateway_->Call(&Sessions::GetSession, get);
  ASSERT_TRUE(Ok(read));
  ExpectRead(read.response.session());

  v1::CancelSessionRequest cancel;
  cancel.set_session_id(kNobody);
  const auto cancelled = gateway_->Call(&Sessions::CancelSession, cancel);
  ASSERT_TRUE(Ok(cancelled));
  EXPECT_EQ(cancelled.response.session().status(), v1::SESSION_STATUS_CANCELLED);
  if (*GetParam().field != '\0') {
    EXPECT_GE(gateway_->Metric("ipp_upstream_unreadable_fields_total",
                               {absl::StrCat("field=\"", GetParam().field, "\"")}),
              3);
  }
}

TEST_P(OddUpstream, IsHeardByWebhook) {
  const std::string body =
      absl::StrCat(R"({"id":"kevt_1","type":"IPP.payment.Failed","session_id":")", kNobody, "\",",
                   GetParam().webhook, "}");
  const RawResponse answer = gateway_->Webhook(SignedHeaders(body, kSecret, absl::Now()), body);
  EXPECT_EQ(answer.code, 200);
  EXPECT_EQ(answer.body, "accepted\n");
  const auto log = gateway_->Call(&v1::SessionEventService::Stub::ListSessionEvents,
                                  v1::ListSessionEventsRequest());
  ASSERT_TRUE(Ok(log));
  ASSERT_GE(log.response.events_size(), 1);
  EXPECT_EQ(log.response.events(0).type(), v1::SESSION_EVENT_TYPE_PAYMENT_FAILED);
  EXPECT_EQ(log.response.events(0).session_id(), kNobody);
  EXPECT_EQ(log.response.events(0).merchant_id(), kMerchant);
  EXPECT_TRUE(log.response.events(0).has_occurred_at());
}

INSTANTIATE_TEST_SUITE_P(Every, OddUpstream, testing::ValuesIn(kRows),
                         [](const auto& info) { return std::string(info.param.name); });

// An update puts back what it read of a device: it must not put back nothing.
TEST(OddDevice, IsNotOverwrittenByAnUpdateOfAnotherField) {
  std::atomic<int> puts{0};
  HttpGate gate([&](const GateRequest& request, GatePeer& peer) {
    if (request.method == "PUT") ++puts;
    const std::string device =
        absl::StrCat(R"({"id":")", kNobody, R"(","name":"Till","metadata":["odd"]})");
    peer.Respond(200, request.method == "PUT"
                          ? device
                          : absl::StrCat(R"({"last":true,"content":[)", device, "]}"));
  });
  TestDirectory directory;
  RunningGateway gateway(TestConfig(directory, absl::StrCat("http://127.0.0.1:", gate.port())));
  const auto update = [&](const std::string& mask) {
    return gateway.Call(&Devices::UpdateDevice, Text<v1::UpdateDeviceRequest>(absl::StrCat(
                                                    "device_id: '", kNobody,
                                                    "' settings { name: 'New' metadata { key: 'a' ",
                                                    "value: 'b' } } update_mask { ", mask, " }")));
  };
  const auto refused = update("paths: 'name'");
  EXPECT_TRUE(Refused(refused, grpc::StatusCode::INTERNAL, "UPSTREAM_MALFORMED"));
  EXPECT_EQ(refused.info("outcome"), "NOT_SENT");
  EXPECT_THAT(refused.message, testing::HasSubstr("metadata"));
  EXPECT_EQ(puts, 0);
  EXPECT_TRUE(Ok(update("paths: 'name' paths: 'metadata'")));
  EXPECT_EQ(puts, 1);
}

}  // namespace
}  // namespace ipp
