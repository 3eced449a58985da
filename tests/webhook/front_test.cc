// The webhook port over a real socket: which requests are deliveries, and what their senders get.
#include "server/webhook/front.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/sessions/session_recorder.h"
#include "server/web/web_listener.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_store.h"
#include "tests/support/web_client.h"
#include "tests/webhook/example.h"

namespace ipp::webhook {
namespace {

class FrontTest : public testing::Test {
 protected:
  FrontTest() { listener_ = *web::WebListener::Start({}, Front("/webhooks/kustom", &receiver_)); }

  // A delivery of the example; `head` in place of the first line, `more` fields.
  std::string Example(absl::string_view head = "POST /webhooks/kustom HTTP/1.1",
                      absl::string_view more = "") {
    return absl::StrCat(head, "\r\nHost: gw\r\nWebhook-Id: ", kExampleId,
                        "\r\nWEBHOOK-TIMESTAMP:", kExampleTimestamp,
                        "\r\nwebhook-signature:  ", kExampleSignature, "\r\n", more,
                        "Content-Length: ", sizeof(kExampleBody) - 1, "\r\n\r\n", kExampleBody);
  }

  FakeClock clock_{kExampleTime};
  Metrics metrics_;
  store::FakeStore store_{&clock_};
  sessions::SessionRecorder recorder_{&store_, &metrics_};
  Receiver receiver_{[] {
                       return MakeKeys({{"DM00000001", ExampleKey()}});
                     },
                     absl::Minutes(5),
                     &recorder_,
                     NoOwner(),
                     &clock_,
                     &metrics_};
  std::unique_ptr<web::WebListener> listener_;
};

TEST_F(FrontTest, TakesADeliveryInEveryFormOfItsRequest) {
  int taken = 0;
  for (const std::string& bytes : {
           Example(),
           Example("POST /webhooks/kustom?from=portal HTTP/1.1"),
           Example("POST http://gateway.example/webhooks/kustom HTTP/1.1"),
           Example("POST /%77ebhooks/kustom HTTP/1.1"),
           Example("POST /webhooks/kustom HTTP/1.0"),
           Example("\r\nPOST /webhooks/kustom HTTP/1.1"),
           Example("POST /webhooks/kustom HTTP/1.1", "Expect: 100-continue\r\n"),
           Example("POST /webhooks/kustom HTTP/1.1", "Content-Encoding: identity\r\n"),
           Example("POST /webhooks/kustom HTTP/1.1", "Webhook-Signature: v1a,another\r\n"),
           Example("POST /webhooks/kustom HTTP/1.1", "Webhook-Signature: v1,AAAA\r\n"),
       }) {
    const RawResponse response = WebClient(listener_->port()).Call(bytes);
    EXPECT_EQ(response.code, 200) << bytes;
    EXPECT_EQ(response.body, taken++ == 0 ? "accepted\n" : "known already\n") << bytes;
  }
  EXPECT_EQ(store_.events().size(), 1);
}

TEST_F(FrontTest, SaysWhyItRefuses) {
  const auto code = [this](const std::string& bytes) {
    return WebClient(listener_->port()).Call(bytes).code;
  };
  EXPECT_EQ(code(Example("POST /webhooks/other HTTP/1.1")), 404);
  EXPECT_EQ(code(Example("PUT /webhooks/kustom HTTP/1.1")), 405);
  EXPECT_EQ(code(Example("DELIVER /webhooks/kustom HTTP/1.1")), 501);
  EXPECT_EQ(code(Example("POST /webhooks/kustom HTTP/1.1", "Content-Encoding: gzip\r\n")), 415);
  EXPECT_EQ(code(Example("POST /webhooks/kustom HTTP/1.1", "Webhook-Timestamp: 1\r\n")), 401)
      << "two lines that disagree";
  EXPECT_EQ(store_.events().size(), 0);
}

TEST_F(FrontTest, AsksForAnotherDeliveryOnlyWhenTheStoreFails) {
  store_.FailCommits(absl::UnavailableError("disk full"));
  EXPECT_EQ(WebClient(listener_->port()).Call(Example()).code, 503);
  EXPECT_EQ(WebClient(listener_->port()).Call(Example()).code, 200);
}

}  // namespace
}  // namespace ipp::webhook
