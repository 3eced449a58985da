// What peers can do to the webhook port and the operator's. A delivery, or a look at the page,
// beside them must get its answer.

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "tests/support/gateway_under_test.h"
#include "tests/support/web_client.h"

namespace ipp {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr int kRequestMs = 500;

class HttpPorts : public testing::TestWithParam<std::string> {
 protected:
  bool webhooks() const { return GetParam() == "webhooks"; }

  // With these many connections.
  void Open(int max_connections = 1024) {
    bed_ = std::make_unique<GatewayBed>(GatewayBed::Options{.configure = [&](const TestDirectory&,
                                                                             config::Config&
                                                                                 config) {
      const auto set = [&](auto* section) {
        section->set_max_connections(max_connections);
        for (auto* limit : {section->mutable_request_timeout(), section->mutable_idle_timeout()}) {
          limit->set_seconds(0);
          limit->set_nanos(kRequestMs * 1'000'000);
        }
      };
      webhooks() ? set(config.mutable_webhooks()) : set(config.mutable_admin());
    }});
    port_ = webhooks() ? bed_->gateway.app().webhook_port() : bed_->gateway.app().admin_port();
    target_ = webhooks() ? "/webhooks/kustom" : "/livez";
  }

  // Somebody with a good reason to be answered, on a connection of its own.
  void ExpectServed() {
    if (webhooks()) {
      const std::string body = R"({"type": "order.captured"})";
      const RawResponse response =
          bed_->gateway.Webhook(SignedHeaders(body, simulator::Simulator::kDefaultSecret,
                                              absl::Now(), absl::StrCat("msg_", ++served_)),
                                body);
      EXPECT_EQ(response.code, 200) << response.body;
    } else {
      EXPECT_EQ(bed_->gateway.Admin("/livez"), "ok\n");
    }
  }

  double Refused(const std::string& reason) {
    return bed_->gateway.Metric(
        "ipp_connections_refused_total",
        {absl::StrCat("port=\"", GetParam(), "\""), absl::StrCat("reason=\"", reason, "\"")});
  }
  // The request for the page has a connection to the operator's port.
  void ExpectNoneLeft() {
    bed_->gateway.WaitForMetric("ipp_connections", webhooks() ? 0 : 1,
                                {absl::StrCat("port=\"", GetParam(), "\"")});
    EXPECT_EQ(bed_->simulator.Requests().size(), 0) << "nothing was sent upstream";
  }

  std::string Head(const std::string& more = "") const {
    return absl::StrCat("POST ", target_, " HTTP/1.1\r\nHost: x\r\n", more);
  }

  std::unique_ptr<GatewayBed> bed_;
  int port_ = 0;
  std::string target_;
  int served_ = 0;
};

TEST_P(HttpPorts, GiveUpRequestsThatDribble) {
  Open();
  const std::string beginnings[] = {"P", Head("X: "), Head("Transfer-Encoding: chunked\r\n\r\n")};
  const std::string drops[] = {"O", "x", "1\r\na\r\n"};
  std::vector<std::thread> attackers;
  std::atomic<int> dribbling = 0;
  std::atomic<int> timed_out = 0;
  for (int i = 0; i < 9; ++i) {
    ++dribbling;
    attackers.emplace_back([&, i] {
      WebClient client(port_);
      client.Send(beginnings[i % 3]);
      client.SendUntilAnswered(drops[i % 3]);
      timed_out += client.Receive().code == 408 ? 1 : 0;
      --dribbling;
    });
  }
  while (dribbling > 0) ExpectServed();
  for (std::thread& attacker : attackers) attacker.join();
  // A method of any length is none: refused before its time, or with it.
  EXPECT_GE(timed_out, 6);
  EXPECT_GE(Refused("timed_out"), 6);
  ExpectNoneLeft();
}

TEST_P(HttpPorts, GiveUpConnectionsThatSayNothing) {
  Open();
  std::vector<WebClient> silent;
  for (int i = 0; i < 50; ++i) silent.emplace_back(port_);
  std::vector<WebClient> idle;
  for (int i = 0; i < 5; ++i) {
    idle.emplace_back(port_);
    EXPECT_NE(idle.back().Call(Head("Content-Length: 0\r\n\r\n")).code, 0);
  }
  ExpectServed();
  for (WebClient& client : silent) EXPECT_TRUE(client.WaitForClose());
  for (WebClient& client : idle) EXPECT_TRUE(client.WaitForClose());
  ExpectNoneLeft();
}

TEST_P(HttpPorts, ServeWhoAsksBesideMoreConnectionsThanAllowed) {
  Open(/*max_connections=*/4);
  std::vector<WebClient> silent;
  for (int i = 0; i < 100; ++i) {
    silent.emplace_back(port_);
    silent.back().Send(i % 2 == 0 ? "" : Head("Content-Length: 100\r\n\r\nabc"));
    if (i % 10 == 9) ExpectServed();
  }
  for (WebClient& client : silent) client.Close();
  EXPECT_GT(Refused("displaced"), 50);
  ExpectNoneLeft();
}

TEST_P(HttpPorts, RefuseHeadsAndBodiesThatAreTooLarge) {
  Open();
  std::string many = Head();
  for (int i = 0; i < 5000; ++i) absl::StrAppend(&many, "k", i, ": v\r\n");
  const std::pair<std::string, int> rows[] = {
      {many + "\r\n", 431},
      {Head("X: " + std::string(1 << 20, 'x') + "\r\n\r\n"), 431},
      {"POST /" + std::string(1 << 20, 'p') + " HTTP/1.1\r\nHost: x\r\n\r\n", 414},
      {Head("Content-Length: 1000000000\r\n\r\n"), 413},
      {Head("Transfer-Encoding: chunked\r\n\r\n3fffffff\r\n") + std::string(1 << 20, 'x'), 413},
  };
  for (const auto& [said, code] : rows) {
    WebClient client(port_);
    client.Send(said);
    EXPECT_EQ(client.Receive().code, code) << said.substr(0, 40);
    ExpectServed();
  }
  ExpectNoneLeft();
}

TEST_P(HttpPorts, AreQuietAboutAllThat) {
  testing::internal::CaptureStderr();
  const absl::Time begin = absl::Now();
  Open(/*max_connections=*/2);
  constexpr int kTries = 200;
  for (int i = 0; i < kTries; ++i) {
    WebClient client(port_);
    client.Call(
        Head("Authorization: Bearer token-of-shop\r\nwebhook-id: a\r\n"
             "webhook-timestamp: 1\r\nwebhook-signature: v1,c2VjcmV0\r\n"
             "Content-Length: 2\r\n\r\n{}"));
    WebClient broken(port_);
    broken.Call("token-of-shop\r\n\r\n");
  }
  const absl::Duration took = absl::Now() - begin;
  bed_.reset();
  const std::string log = testing::internal::GetCapturedStderr();
  const auto lines = static_cast<double>(std::count(log.begin(), log.end(), '\n'));
  // 20 at once, ten a second, and the gateway's own.
  EXPECT_LE(lines, 20 + 10 * absl::ToDoubleSeconds(took) + 30);
  EXPECT_THAT(log, Not(HasSubstr("token-of-shop")));
  EXPECT_THAT(log, Not(HasSubstr("c2VjcmV0")));
}

INSTANTIATE_TEST_SUITE_P(Ports, HttpPorts, testing::Values("webhooks", "admin"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace ipp
