// The operator's port over a real socket.
#include "server/admin/front.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/web/web_listener.h"
#include "tests/support/web_client.h"

namespace ipp::admin {
namespace {

class FrontTest : public testing::Test {
 protected:
  FrontTest() {
    metrics_.counter("ipp_things_total", "Things.").Add();
    listener_ = *web::WebListener::Start({}, Front(&pages_));
  }

  RawResponse Ask(absl::string_view method, absl::string_view target) {
    WebClient client(listener_->port());
    client.Send(absl::StrCat(method, " ", target, " HTTP/1.1\r\nHost: x\r\n\r\n"));
    return client.Receive(/*without_body=*/method == "HEAD");
  }

  Metrics metrics_;
  bool ready_ = true;
  AdminPages pages_{
      &metrics_,
      {{"store", [this] { return ready_ ? absl::OkStatus() : absl::UnavailableError("full"); }}},
      [] { return std::string("listen: x\n"); }};
  std::unique_ptr<web::WebListener> listener_;
};

TEST_F(FrontTest, ShowsEveryPageToGetAndHead) {
  for (const std::string& path : AdminPages::Paths()) {
    const RawResponse get = Ask("GET", path);
    EXPECT_EQ(get.code, 200) << path;
    EXPECT_NE(get.body, "") << path;
    const RawResponse head = Ask("HEAD", path);
    EXPECT_EQ(head.code, 200) << path;
    EXPECT_EQ(head.header("content-type"), get.header("content-type")) << path;
    EXPECT_EQ(head.header("content-length"), get.header("content-length")) << path;
    EXPECT_EQ(Ask("GET", absl::StrCat("http://gateway.example:9090", path, "?x")).code, 200);
    EXPECT_EQ(Ask("OPTIONS", path).header("allow"), "GET, HEAD, OPTIONS");
    EXPECT_EQ(Ask("POST", path).code, 405) << path;
    EXPECT_EQ(Ask("POST", path).header("allow"), "GET, HEAD, OPTIONS");
  }
}

TEST_F(FrontTest, SaysThatItIsNotReady) {
  ready_ = false;
  EXPECT_EQ(Ask("GET", "/readyz").code, 503);
  EXPECT_EQ(Ask("GET", "/livez").code, 200);
}

TEST_F(FrontTest, KnowsNoOtherPage) {
  EXPECT_EQ(Ask("GET", "/secrets").code, 404);
  EXPECT_EQ(Ask("GET", "/secrets").body, "no such page; / lists them\n");
  EXPECT_EQ(Ask("get", "/livez").code, 501);
}

}  // namespace
}  // namespace ipp::admin
