#include "simulator/flags.h"
#include "simulator/sim_clock.h"
#include "tests/simulator/harness.h"

namespace ipp::simulator {
namespace {

class SimulatorControl : public SimulatorTest {};

TEST_F(SimulatorControl, RemembersEveryApiRequest) {
  const std::string device = NewDevice();
  const std::string order = OrderFor(device);
  client_->Call("POST", "/ipp/v1/sessions",
                {{"Authorization", std::string("Basic ") + kKey},
                 {"Content-Type", "application/json"},
                 {"User-Agent", "gateway/1"},
                 {"traceparent", "00-1-2-01"}},
                order);
  client_->Call("GET", "/ipp/v1/devices?page_size=1");
  const auto list = client_->Call("GET", "/_sim/requests?after=1").Json();
  EXPECT_EQ(At(list, "total"), "3");
  ASSERT_EQ(SizeAt(list, "requests"), 2u);
  EXPECT_EQ(At(list, "requests.0.sequence"), "2");
  EXPECT_EQ(At(list, "requests.0.method"), "POST");
  EXPECT_EQ(At(list, "requests.0.target"), "/ipp/v1/sessions");
  EXPECT_EQ(At(list, "requests.0.status"), "200");
  EXPECT_EQ(At(list, "requests.0.authorization"), "key");
  EXPECT_EQ(At(list, "requests.0.body"), order);
  EXPECT_EQ(At(list, "requests.0.body_length"), std::to_string(order.size()));
  EXPECT_EQ(At(list, "requests.0.headers.user-agent"), "gateway/1");
  EXPECT_EQ(At(list, "requests.0.headers.traceparent"), "00-1-2-01");
  EXPECT_EQ(At(list, "requests.0.headers.authorization"), "(absent)");
  EXPECT_EQ(At(list, "requests.0.session_id").size(), 36u);
  EXPECT_EQ(At(list, "requests.1.status"), "401");
  EXPECT_EQ(At(list, "requests.1.session_id"), "null");
  EXPECT_EQ(SizeAt(Get("/_sim/requests?limit=1").Json(), "requests"), 1u);
}

TEST_F(SimulatorControl, ForgetsRequestsOnDemand) {
  Get("/ipp/v1/devices");
  EXPECT_EQ(Send("DELETE", "/_sim/requests").status, 204);
  EXPECT_EQ(At(Get("/_sim/requests").Json(), "total"), "0");
  Get("/ipp/v1/devices");
  EXPECT_EQ(At(Get("/_sim/requests").Json(), "requests.0.sequence"), "1");
}

TEST_F(SimulatorControl, ShowsTheState) {
  const std::string session = NewSession();
  NewSession();
  const auto state = Get("/_sim/state").Json();
  EXPECT_EQ(At(state, "merchants.0.merchant_id"), kMerchantId);
  EXPECT_EQ(At(state, "merchants.0.counts"),
            R"({"locations":2,"devices":2,"enrollments":0,"sessions":2})");
  EXPECT_EQ(At(state, "merchants.0.sessions.0.session_id"), session);
  EXPECT_EQ(At(state, "webhooks.events"), "2");
  EXPECT_EQ(SizeAt(Get("/_sim/state?limit=1").Json(), "merchants.0.sessions"), 1u);
}

TEST_F(SimulatorControl, AdvancesTheClockOnlyForward) {
  const Reply reply = Post("/_sim/clock/advance", R"({"seconds":60})");
  EXPECT_EQ(At(reply.Json(), "clock_offset_seconds"), "60");
  for (const std::string body :
       {R"({})", R"({"seconds":-1})", R"({"seconds":1.5})", R"({"seconds":999999999999})"}) {
    EXPECT_EQ(Post("/_sim/clock/advance", body).status, 400) << body;
  }
}

class SimulatorDateTime : public testing::TestWithParam<std::pair<std::string, bool>> {};

TEST_P(SimulatorDateTime, IsRecognised) {
  EXPECT_EQ(IsDateTime(GetParam().first), GetParam().second);
}

INSTANTIATE_TEST_SUITE_P(Table, SimulatorDateTime,
                         testing::Values(std::pair("2024-02-29T00:00:00Z", true),
                                         std::pair("2024-02-29t23:59:60z", true),
                                         std::pair("2024-01-15T10:30:00.5-08:30", true),
                                         std::pair("", false), std::pair("2024-01-15", false),
                                         std::pair("2023-02-29T00:00:00Z", false),
                                         std::pair("2024-01-15 10:30:00Z", false),
                                         std::pair("2024-01-15T24:00:00Z", false),
                                         std::pair("2024-01-15T10:30:00.Z", false),
                                         std::pair("2024-01-15T10:30:00+0200", false),
                                         std::pair("2024-01-15T10:30:00Zx", false)));

TEST(SimulatorTimes, AreFormatted) {
  const Time time{std::chrono::nanoseconds(1'790'000'000'000'000'001)};
  EXPECT_EQ(FormatSeconds(time), "2026-09-21T14:13:20Z");
  EXPECT_EQ(FormatNanos(time), "2026-09-21T14:13:20.000000001Z");
  EXPECT_EQ(FormatHttpDate(time), "Mon, 21 Sep 2026 14:13:20 GMT");
}

TEST(SimulatorFlags, AreReadInBothSpellings) {
  Flags flags;
  std::string error;
  ASSERT_TRUE(ParseFlags({"--listen",
                          "0.0.0.0:0",
                          "--merchant=PM1:k:1",
                          "--merchant",
                          "PM2:k2",
                          "--webhook-url",
                          "http://a/",
                          "--webhook-url=http://b/",
                          "--webhook-backoff",
                          "0.25",
                          "--webhook-order=none",
                          "--production",
                          "--session-ttl=0",
                          "--webhook-secret-file",
                          "/s",
                          "--port-file=/p",
                          "--control-listen=127.0.0.2:7",
                          "--control-port-file=/c",
                          "--tls-listen=127.0.0.3:8",
                          "--tls-certificate",
                          "/tc",
                          "--tls-key=/tk",
                          "--tls-port-file=/tp",
                          "--faults=/f",
                          "--fault-seed=9",
                          "--keep-requests=5",
                          "--webhook-connections=3"},
                         &flags, &error))
      << error;
  EXPECT_EQ(flags.options.address, "0.0.0.0");
  EXPECT_EQ(flags.options.port, 0);
  ASSERT_EQ(flags.options.merchants.size(), 2u);
  EXPECT_EQ(flags.options.merchants[0].merchant_id, "PM1");
  EXPECT_EQ(flags.options.merchants[0].key, "k:1");
  EXPECT_EQ(flags.options.webhook_urls.size(), 2u);
  EXPECT_EQ(flags.options.webhook_initial_backoff, std::chrono::milliseconds(250));
  EXPECT_FALSE(flags.options.webhook_ordered_by_session);
  EXPECT_TRUE(flags.options.production);
  EXPECT_EQ(flags.options.session_ttl.count(), 0);
  EXPECT_EQ(flags.webhook_secret_file, "/s");
  EXPECT_EQ(flags.port_file, "/p");
  EXPECT_EQ(flags.options.control_address, "127.0.0.2");
  EXPECT_EQ(flags.options.control_port, 7);
  EXPECT_EQ(flags.control_port_file, "/c");
  EXPECT_EQ(flags.options.tls_address, "127.0.0.3");
  EXPECT_EQ(flags.options.tls_port, 8);
  EXPECT_EQ(flags.options.tls_certificate_file, "/tc");
  EXPECT_EQ(flags.options.tls_key_file, "/tk");
  EXPECT_EQ(flags.tls_port_file, "/tp");
  EXPECT_EQ(flags.faults_file, "/f");
  EXPECT_EQ(flags.options.fault_seed, 9u);
  EXPECT_EQ(flags.options.kept_requests, 5u);
  EXPECT_EQ(flags.options.webhook_connections, 3u);
}

TEST(SimulatorFlags, HaveDefaults) {
  Flags flags;
  std::string error;
  ASSERT_TRUE(ParseFlags({}, &flags, &error));
  EXPECT_EQ(flags.options.address, "127.0.0.1");
  EXPECT_EQ(flags.options.port, 9080);
  EXPECT_EQ(flags.options.merchants[0].merchant_id, kMerchantId);
  ASSERT_TRUE(ParseFlags({"--help", "--nonsense"}, &flags, &error));
  EXPECT_TRUE(flags.help);
}

class SimulatorBadFlags : public testing::TestWithParam<std::vector<std::string>> {};

TEST_P(SimulatorBadFlags, AreNamed) {
  Flags flags;
  std::string error;
  EXPECT_FALSE(ParseFlags(GetParam(), &flags, &error));
  const std::string& flag = GetParam().front();
  EXPECT_THAT(error, testing::HasSubstr(flag.substr(0, flag.find('='))));
  EXPECT_THAT(error, testing::Not(testing::HasSubstr("hush")));
}

INSTANTIATE_TEST_SUITE_P(
    Table, SimulatorBadFlags,
    testing::Values(std::vector<std::string>{"--port"}, std::vector<std::string>{"stray"},
                    std::vector<std::string>{"--listen"},
                    std::vector<std::string>{"--listen", "9080"},
                    std::vector<std::string>{"--listen", "127.0.0.1:70000"},
                    std::vector<std::string>{"--listen=127.0.0.1:"},
                    std::vector<std::string>{"--merchant=hush"},
                    std::vector<std::string>{"--merchant", ":hush"},
                    std::vector<std::string>{"--merchant", "PM1:"},
                    std::vector<std::string>{"--webhook-url", "https://a/"},
                    std::vector<std::string>{"--webhook-secret-file="},
                    std::vector<std::string>{"--webhook-backoff", "0"},
                    std::vector<std::string>{"--webhook-backoff", "soon"},
                    std::vector<std::string>{"--webhook-backoff-factor", "0.5"},
                    std::vector<std::string>{"--webhook-timeout", "nan"},
                    std::vector<std::string>{"--webhook-order", "random"},
                    std::vector<std::string>{"--session-ttl", "-1"},
                    std::vector<std::string>{"--control-listen", "7"},
                    std::vector<std::string>{"--tls-listen", "7"},
                    std::vector<std::string>{"--tls-listen", "127.0.0.1:0"},
                    std::vector<std::string>{"--tls-listen=127.0.0.1:0", "--tls-key=/k"},
                    std::vector<std::string>{"--tls-certificate", "/c", "--tls-key=/k"},
                    std::vector<std::string>{"--tls-port-file=/p"},
                    std::vector<std::string>{"--faults="},
                    std::vector<std::string>{"--fault-seed", "-1"},
                    std::vector<std::string>{"--keep-requests", "0"},
                    std::vector<std::string>{"--webhook-connections", "0"},
                    std::vector<std::string>{"--production=yes"}));

TEST(SimulatorSecretFile, IsReadLineByLine) {
  const std::string path = testing::TempDir() + "/simulator_secrets_" +
                           std::to_string(reinterpret_cast<uintptr_t>(&path));
  std::FILE* file = std::fopen(path.c_str(), "w");
  ASSERT_NE(file, nullptr);
  std::fputs("# old\nwhsec_YQ== \r\n\nwhsec_Yg==", file);
  std::fclose(file);
  std::vector<std::string> secrets;
  std::string error;
  EXPECT_TRUE(ReadSecretFile(path, &secrets, &error));
  EXPECT_THAT(secrets, testing::ElementsAre("whsec_YQ==", "whsec_Yg=="));
  std::remove(path.c_str());
  secrets.clear();
  EXPECT_FALSE(ReadSecretFile(path, &secrets, &error));
  EXPECT_THAT(error, testing::HasSubstr(path));
}

}  // namespace
}  // namespace ipp::simulator
