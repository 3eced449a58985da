#include "server/config/config.h"

#include <gmock/gmock.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/base/host_port.h"
#include "server/config/reader.h"

namespace ipp::config {
namespace {

using ::google::protobuf::util::MessageDifferencer;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kGood[] = R"(
upstream: {base_url: https://api.kustom.co}
merchants: [{id: PM1, api_key_file: key}]
store: {sqlite: {path: gateway.db}}
)";

Config MustParse(absl::string_view yaml, const std::map<std::string, std::string>& environment) {
  absl::StatusOr<Config> config = Parse(yaml, "g.yaml", environment);
  EXPECT_TRUE(config.ok()) << config.status();
  return config.ok() ? *config : Config();
}

// tests/testdata → the root of the sources.
std::string Deployed(const std::string& name) {
  const std::filesystem::path tests = std::filesystem::path(IPP_TESTDATA).parent_path();
  return tests.parent_path() / "deploy" / name;
}

TEST(Defaults, AreThoseOfTheContract) {
  EXPECT_EQ(MaskedYaml(Defaults()), R"(listen: 127.0.0.1:50051
log_level: info
log_format: text
upstream:
  base_url: ""
  ca_file: ""
  timeout: 10s
  max_in_flight: 512
  connections: 2
  loops: 1
  read_attempts: 3
  transport: libcurl
  proxy: ""
merchants: []
events:
  retention: 168h
  heartbeat_interval: 15s
  max_write_stall: 30s
  max_stream_age: 30m
  max_subscribers: 10000
  max_subscribers_per_caller: 1000
  memory_bytes: 134217728
  max_shared_subscriptions_per_caller: 100
reconcile:
  first: 30s
  max: 1h
  watched: 5s
  max_in_flight: 16
  reads_per_second: 40
  overdue: 24h
callers: []
caller_proof: any
reflection: true
connections:
  max: 4096
  max_calls: 2000
  memory_bytes: 134217728
  handshake_timeout: 10s
  keepalive_time: 30s
  keepalive_timeout: 10s
  max_idle: 15m
  max_age: 30m
  max_per_peer: 0
webhooks:
  listen: 127.0.0.1:8080
  path: /webhooks/kustom
  tolerance: 5m
  max_body_bytes: 262144
  max_connections: 1024
  request_timeout: 10s
  idle_timeout: 1m15s
admin:
  listen: 127.0.0.1:9090
  max_connections: 1024
  request_timeout: 10s
  idle_timeout: 1m15s
  page: true
creates:
  correlation: first_empty
  settle: 10m
  send_for: 30s
  memory: 720h
insecure: false
tracing:
  otlp_endpoint: ""
  ca_file: ""
  max_queued: 2048
  export_interval: 5s
drain_timeout: 20s
)");
}

TEST(ConfigFile, FillsWhatItDoesNotMentionWithDefaults) {
  Config expected = Defaults();
  expected.mutable_upstream()->set_base_url("https://api.kustom.co");
  expected.mutable_upstream()->mutable_timeout()->set_seconds(90);
  Merchant* merchant = expected.add_merchants();
  merchant->set_id("PM1");
  merchant->set_api_key_file("key");
  expected.mutable_store()->mutable_sqlite()->set_path("gateway.db");
  const Config config = MustParse(R"(
upstream:
  base_url: https://api.kustom.co
  timeout: 1m30s
merchants: [{id: PM1, api_key_file: key}]
store: {sqlite: {path: gateway.db}}
events:
tls: ~
)",
                                  {});
  EXPECT_TRUE(MessageDifferencer::Equals(config, expected)) << config.DebugString();
}

TEST(ConfigFile, MayUseAnchorsAndSeveralDocuments) {
  const Config config = MustParse(R"(
upstream: {base_url: "https://[2001:db8::1]:8443"}
store: {sqlite: {path: gateway.db}}
---
merchants: [{id: &id PM1, api_key_file: key}]
callers: [{name: a, token_sha256_file: f, merchants: [*id], permissions: [sessions.*, "*"]}]
)",
                                  {});
  EXPECT_EQ(config.callers(0).merchants(0), "PM1");
  EXPECT_EQ(config.callers(0).permissions_size(), 2);
}

TEST(ConfigFile, TakesSubSecondDurations) {
  const Config config = MustParse(kGood, {{"IPP_UPSTREAM__TIMEOUT", "1.5s"}});
  EXPECT_EQ(ToDuration(config.upstream().timeout()), absl::Milliseconds(1500));
}

TEST(ConfigFile, ThatIsMissingIsNotFound) {
  const absl::Status status = Load(testing::TempDir() + "no-such-gateway.yaml", {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(GetErrorDetail(status).reason, "CONFIG_UNREADABLE");
}

TEST(ConfigFile, ThatIsADirectoryIsRefused) {
  EXPECT_EQ(Load(testing::TempDir(), {}).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(ConfigFile, ThatIsHugeIsRefused) {
  const std::string path = testing::TempDir() + "huge-gateway.yaml";
  std::ofstream(path) << std::string(1024 * 1024 + 1, '#');
  EXPECT_EQ(Load(path, {}).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(ConfigViolations, AreReportedAllTogether) {
  const absl::Status status =
      Parse("listen: a\nlog_level: b\nevents: {max_subscribers: 0}", "g.yaml", {}).status();
  std::vector<std::string> fields;
  for (const FieldViolation& violation : GetErrorDetail(status).violations) {
    fields.push_back(violation.field);
  }
  EXPECT_THAT(fields, ::testing::ElementsAre("listen", "log_level", "upstream.base_url",
                                             "merchants", "store", "events.max_subscribers"));
}

TEST(ConfigViolations, MadeInCodeAreRefusedWithoutAPlace) {
  const absl::Status status = Validate(Defaults());
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(status.message()),
            "upstream.base_url: is required\nmerchants: at least one is required\n"
            "store: is required, for example {sqlite: {path: gateway.db}}");
}

TEST(ConfigEnvironment, OverridesTheFile) {
  const Config config = MustParse(kGood, {{"IPP_UPSTREAM__BASE_URL", "http://127.0.0.1:9080"},
                                          {"IPP_LOG_LEVEL", "debug"},
                                          {"IPP_UPSTREAM__MAX_IN_FLIGHT", "7"},
                                          {"IPP_INSECURE", "true"},
                                          {"IPP_STORE__SQLITE__PATH", "/a: b.db"}});
  EXPECT_EQ(config.upstream().base_url(), "http://127.0.0.1:9080");
  EXPECT_EQ(config.log_level(), "debug");
  EXPECT_EQ(config.upstream().max_in_flight(), 7);
  EXPECT_TRUE(config.insecure());
  EXPECT_EQ(config.store().sqlite().path(), "/a: b.db");
}

TEST(ConfigEnvironment, ReplacesWholeListsAndSections) {
  const Config config = MustParse(
      std::string(kGood) + "events: {retention: 1h, max_subscribers: 3}\ntls: {cert_file: a}",
      {{"IPP_MERCHANTS", "[{id: PM2, api_key_file: a}, {id: PM3, api_key_file: b}]"},
       {"IPP_EVENTS", "{max_subscribers: 4}"},
       {"IPP_EVENTS__HEARTBEAT_INTERVAL", "1s"},
       {"IPP_TLS", ""}});
  ASSERT_EQ(config.merchants_size(), 2);
  EXPECT_EQ(config.merchants(0).id(), "PM2");
  EXPECT_EQ(config.events().max_subscribers(), 4);
  EXPECT_EQ(ToDuration(config.events().retention()), absl::Hours(168));
  EXPECT_EQ(ToDuration(config.events().heartbeat_interval()), absl::Seconds(1));
  EXPECT_FALSE(config.has_tls());
}

TEST(ConfigEnvironment, SkipsWhatKubernetesMakesForAService) {
  const Config config = MustParse(kGood, {{"IPP_GATEWAY_SERVICE_HOST", "10.0.0.1"},
                                          {"IPP_GATEWAY_SERVICE_PORT", "50051"},
                                          {"IPP_GATEWAY_SERVICE_PORT_GRPC", "50051"},
                                          {"IPP_GATEWAY_PORT", "tcp://10.0.0.1:50051"},
                                          {"IPP_GATEWAY_PORT_50051_TCP", "tcp://10.0.0.1:50051"},
                                          {"IPP_GATEWAY_PORT_50051_TCP_ADDR", "10.0.0.1"}});
  EXPECT_EQ(config.listen(), "127.0.0.1:50051");
}

TEST(ConfigEnvironment, IsTheProcessesOwnVariablesOfThatPrefix) {
  setenv("IPP_LOG_LEVEL", "a=b", 1);
  setenv("IPPCTL_THING", "c", 1);
  const std::map<std::string, std::string> variables = IppEnvironment();
  unsetenv("IPP_LOG_LEVEL");
  unsetenv("IPPCTL_THING");
  EXPECT_EQ(variables.at("IPP_LOG_LEVEL"), "a=b");
  EXPECT_FALSE(variables.contains("IPPCTL_THING"));
}

TEST(ConfigReader, TakesOneKindOfAOneof) {
  google::protobuf::Value value;
  Reading reading;
  ReadYaml("string_value: a\nbool_value: true", "v.yaml", &value, &reading);
  ASSERT_EQ(reading.problems.size(), 1);
  EXPECT_EQ(reading.problems[0].source, "v.yaml:2");
  EXPECT_EQ(reading.problems[0].violation,
            (FieldViolation{"bool_value", "only one of string_value and bool_value"}));
  EXPECT_EQ(value.string_value(), "a");
}

TEST(ConfigReader, SaysSoWhenATypeCannotBeConfigured) {
  google::protobuf::Value value;
  Reading reading;
  ReadYaml("number_value: 1", "v.yaml", &value, &reading);
  ASSERT_EQ(reading.problems.size(), 1);
  EXPECT_EQ(reading.problems[0].violation.description, "is of a type that cannot be configured");
}

TEST(MaskedYaml, ReadsBackAsTheSameConfiguration) {
  const absl::StatusOr<Config> config = Load(Deployed("gateway.example.yaml"), {});
  ASSERT_TRUE(config.ok()) << config.status();
  const Config again = MustParse(MaskedYaml(*config), {});
  EXPECT_TRUE(MessageDifferencer::Equals(*config, again)) << MaskedYaml(*config);
}

TEST(MaskedYaml, HidesUserNamesAndPasswordsInUrls) {
  Config config = Defaults();
  config.mutable_upstream()->set_base_url("https://me:hun@ter2@api.kustom.co/a@b");
  config.mutable_store()->mutable_sqlite()->set_path("file:///a@b");
  config.add_callers()->add_merchants("x://hunter2@");
  const std::string yaml = MaskedYaml(config);
  EXPECT_THAT(yaml, HasSubstr("base_url: https://***@api.kustom.co/a@b\n"));
  EXPECT_THAT(yaml, HasSubstr("path: file:///a@b\n"));
  EXPECT_THAT(yaml, Not(HasSubstr("ter2")));
}

// Every key is there, so that the example cannot fall behind.
void ExpectMentionsEveryKey(const google::protobuf::Descriptor* type, const std::string& yaml) {
  for (int i = 0; i < type->field_count(); ++i) {
    const google::protobuf::FieldDescriptor* field = type->field(i);
    EXPECT_THAT(yaml, HasSubstr(absl::StrCat(field->name(), ":"))) << type->full_name();
    if (field->message_type() != nullptr && field->message_type()->file() == type->file()) {
      ExpectMentionsEveryKey(field->message_type(), yaml);
    }
  }
}

TEST(DeployedConfig, ExampleIsValidAndMentionsEveryKey) {
  const absl::StatusOr<Config> config = Load(Deployed("gateway.example.yaml"), {});
  ASSERT_TRUE(config.ok()) << config.status();
  std::ifstream file(Deployed("gateway.example.yaml"));
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  ExpectMentionsEveryKey(Config::descriptor(), text);
}

TEST(DeployedConfig, DemoIsValidAndOnLoopback) {
  const absl::StatusOr<Config> config = Load(Deployed("gateway.demo.yaml"), {});
  ASSERT_TRUE(config.ok()) << config.status();
  for (const std::string& address :
       {config->listen(), config->webhooks().listen(), config->admin().listen()}) {
    EXPECT_TRUE(IsLoopback(ParseHostPort(address)->host)) << address;
  }
}

TEST(HostPort, KeepsHostAndPortApart) {
  EXPECT_EQ(ParseHostPort("[::1]:0")->host, "::1");
  EXPECT_EQ(ParseHostPort("gateway.internal:50051")->port, 50051);
}

class NotHostPort : public ::testing::TestWithParam<std::string> {};
TEST_P(NotHostPort, IsRefused) { EXPECT_FALSE(ParseHostPort(GetParam()).has_value()); }
INSTANTIATE_TEST_SUITE_P(Rows, NotHostPort,
                         ::testing::Values("", ":", ":1", "a", "a:", "a:b", "a:-1", "a:+1", "a: 1",
                                           "a:65536", "a:99999999999", "::1:1", "[::1]", "[a]:1",
                                           "[::1:1", "a b:1", "-a:1", ".a:1", "a/b:1", "u@a:1"));

class Loopback : public ::testing::TestWithParam<std::string> {};
TEST_P(Loopback, IsRecognised) { EXPECT_TRUE(IsLoopback(GetParam())); }
INSTANTIATE_TEST_SUITE_P(Rows, Loopback,
                         ::testing::Values("localhost", "LocalHost", "127.0.0.1", "127.9.9.9",
                                           "::1", "[::1]", "::ffff:127.0.0.1"));

class NotLoopback : public ::testing::TestWithParam<std::string> {};
TEST_P(NotLoopback, IsRecognised) { EXPECT_FALSE(IsLoopback(GetParam())); }
INSTANTIATE_TEST_SUITE_P(Rows, NotLoopback,
                         ::testing::Values("", "0.0.0.0", "::", "[::]", "128.0.0.1", "127.1",
                                           "10.0.0.1", "localhost.example", "127.0.0.1.example",
                                           "::2", "::ffff:10.0.0.1", "[::1"));

}  // namespace
}  // namespace ipp::config
