// Tracing that is configured wrong.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/config/config.h"

namespace ipp::config {
namespace {

using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kGood[] = R"(upstream: {base_url: https://api.kustom.co}
merchants: [{id: PM1, api_key_file: key}]
store: {sqlite: {path: gateway.db}}
)";

struct Row {
  std::string name;
  std::string tracing;  // inside the braces
  std::vector<std::string> violations;
};

void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

class TracingConfiguration : public ::testing::TestWithParam<Row> {};

TEST_P(TracingConfiguration, IsJudged) {
  const std::string yaml = absl::StrCat(kGood, "tracing: {", GetParam().tracing, "}\n");
  const absl::Status status = Parse(yaml, "g.yaml", {}).status();
  std::vector<std::string> violations;
  for (const FieldViolation& violation : GetErrorDetail(status).violations) {
    violations.push_back(absl::StrCat(violation.field, ": ", violation.description));
  }
  EXPECT_THAT(violations, ElementsAreArray(GetParam().violations)) << status;
  EXPECT_EQ(status.ok(), GetParam().violations.empty()) << status;
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("hunter2")));
}

constexpr char kParts[] =
    "tracing.otlp_endpoint: must not contain a user name, a password, a query, a fragment or a "
    "space";
constexpr char kHost[] = "tracing.otlp_endpoint: must name a host, with a port or without";
constexpr char kScheme[] = "tracing.otlp_endpoint: must begin with https:// or http://";
constexpr char kPath[] =
    "tracing.otlp_endpoint: must end before /v1/traces, which is put behind it";
constexpr char kCaFile[] =
    "tracing.ca_file: needs a tracing.otlp_endpoint that begins with https://";

const Row kRows[] = {
    {"Nothing", "", {}},
    {"Plaintext", "otlp_endpoint: \"http://collector:4318\"", {}},
    {"Tls", "otlp_endpoint: \"https://collector:4318/\", ca_file: ca.pem", {}},
    {"WithoutPort", "otlp_endpoint: \"https://collector\"", {}},
    {"WithAPath", "otlp_endpoint: \"https://collector/otlp\"", {}},
    {"Ipv6", "otlp_endpoint: \"http://[::1]:4318\"", {}},
    {"WithoutScheme", "otlp_endpoint: \"collector:4318\"", {kScheme}},
    {"Grpc", "otlp_endpoint: \"grpc://collector:4317\"", {kScheme}},
    {"Password", "otlp_endpoint: \"https://me:hunter2@collector:4318\"", {kParts}},
    {"Query", "otlp_endpoint: \"https://collector:4318?key=hunter2\"", {kParts}},
    {"Space", "otlp_endpoint: \"https://collector:4318/a b\"", {kParts}},
    {"NoHost", "otlp_endpoint: \"http://:4318\"", {kHost}},
    {"NothingAtAll", "otlp_endpoint: \"http://\"", {kParts}},
    {"PortZero", "otlp_endpoint: \"http://collector:0\"", {kHost}},
    {"WholePath", "otlp_endpoint: \"http://collector:4318/v1/traces\"", {kPath}},
    {"WholePathAndSlash", "otlp_endpoint: \"http://collector:4318/v1/traces/\"", {kPath}},
    {"AuthorityWithoutEndpoint", "ca_file: ca.pem", {kCaFile}},
    {"AuthorityInPlaintext", "otlp_endpoint: \"http://c\", ca_file: ca.pem", {kCaFile}},
    {"NoQueue", "max_queued: 0", {"tracing.max_queued: must be from 1 to 1000000"}},
    {"NoPause", "export_interval: 0s", {"tracing.export_interval: must be from 10ms to 1m"}},
};

INSTANTIATE_TEST_SUITE_P(Rows, TracingConfiguration, ::testing::ValuesIn(kRows),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace ipp::config
