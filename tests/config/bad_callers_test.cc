// Callers that are configured wrong: what they show, what they may use.

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

constexpr char kGood[] = R"(upstream: {base_url: https://api.kustom.co}
merchants: [{id: PM1, api_key_file: key}]
store: {sqlite: {path: gateway.db}}
)";
constexpr char kTls[] = "tls: {cert_file: c, key_file: k, client_ca_file: a}\n";
constexpr char kRest[] = "merchants: [PM1], permissions: [\"*\"]";

struct Row {
  std::string name;
  std::string yaml;  // after kGood
  std::vector<std::string> violations;
};

void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

std::string Callers(const std::vector<std::string>& callers) {
  std::string yaml = "callers:\n";
  for (size_t i = 0; i < callers.size(); ++i) {
    absl::StrAppend(&yaml, "- {name: c", i, ", ", callers[i], ", ", kRest, "}\n");
  }
  return yaml;
}

class CallerConfiguration : public ::testing::TestWithParam<Row> {};

TEST_P(CallerConfiguration, IsJudged) {
  const absl::Status status = Parse(absl::StrCat(kGood, GetParam().yaml), "g.yaml", {}).status();
  std::vector<std::string> violations;
  for (const FieldViolation& violation : GetErrorDetail(status).violations) {
    violations.push_back(absl::StrCat(violation.field, ": ", violation.description));
  }
  EXPECT_THAT(violations, ElementsAreArray(GetParam().violations)) << status;
  EXPECT_EQ(status.ok(), GetParam().violations.empty()) << status;
}

constexpr char kLimit[] = ": must be from 0 to 1000000";

const Row kRows[] = {
    {"Token", Callers({"token_sha256_file: f"}), {}},
    {"Certificate", kTls + Callers({"tls_san: [\"spiffe://shop/order\", order.shop]"}), {}},
    {"TokenAndCertificate",
     absl::StrCat("caller_proof: both\n", kTls,
                  Callers({"token_sha256_file: f, tls_san: [order.shop]"})),
     {}},
    {"Limits",
     Callers({"token_sha256_file: f, limits: {requests_per_second: 1, in_flight: 0}"}),
     {}},
    {"WithoutAnyProof", Callers({"limits: {}"}), {"callers[0].token_sha256_file: is required"}},
    {"CertificateWithoutAuthority",
     Callers({"tls_san: [order.shop]"}),
     {"callers[0].tls_san: needs tls.client_ca_file"}},
    {"BothWithoutToken",
     absl::StrCat("caller_proof: both\n", kTls, Callers({"tls_san: [order.shop]"})),
     {"callers[0].token_sha256_file: is required"}},
    {"BothWithoutCertificate",
     absl::StrCat("caller_proof: both\n", kTls, Callers({"token_sha256_file: f"})),
     {"callers[0].tls_san: at least one is required where caller_proof is both"}},
    {"BothWithoutCallers",
     "caller_proof: both",
     {"caller_proof: must not be both without callers"}},
    {"ProofOfNoKind", "caller_proof: either", {"caller_proof: must be one of any, both"}},
    {"ProofEmpty", "caller_proof: \"\"", {"caller_proof: must be one of any, both"}},
    {"AuthorityWithoutCertificate",
     "tls: {client_ca_file: a}",
     {"tls.cert_file: is required", "tls.key_file: is required"}},
    {"EmptyName",
     kTls + Callers({"tls_san: [\"\"]"}),
     {"callers[0].tls_san[0]: must be a URI or a DNS name"}},
    {"NameWithSpace",
     kTls + Callers({"tls_san: [\"order shop\"]"}),
     {"callers[0].tls_san[0]: must be a URI or a DNS name"}},
    {"WildcardName",
     kTls + Callers({"tls_san: [\"*.shop\"]"}),
     {"callers[0].tls_san[0]: must be a whole name, without *"}},
    {"NameOfTwoCallers",
     kTls + Callers({"tls_san: [order.shop]", "tls_san: [back.shop, ORDER.shop]"}),
     {"callers[1].tls_san[1]: is there twice"}},
    {"UrisInDifferentCase",
     kTls + Callers({"tls_san: [\"spiffe://a/b\"]", "tls_san: [\"spiffe://a/B\"]"}),
     {}},
    {"RateNegative",
     Callers({"token_sha256_file: f, limits: {requests_per_second: -1}"}),
     {absl::StrCat("callers[0].limits.requests_per_second", kLimit)}},
    {"InFlightTooLarge",
     Callers({"token_sha256_file: f, limits: {in_flight: 1000001}"}),
     {absl::StrCat("callers[0].limits.in_flight", kLimit)}},
    {"SubscribersNegative",
     Callers({"token_sha256_file: f, limits: {subscribers: -1}"}),
     {absl::StrCat("callers[0].limits.subscribers", kLimit)}},
    {"ReflectionOfNoKind", "reflection: perhaps", {"reflection: must be true or false"}},
};

INSTANTIATE_TEST_SUITE_P(Rows, CallerConfiguration, ::testing::ValuesIn(kRows),
                         [](const auto& info) { return info.param.name; });

TEST(Reflection, IsOnUnlessTurnedOff) {
  EXPECT_TRUE(Parse(kGood, "g.yaml", {})->reflection());
  EXPECT_FALSE(Parse(absl::StrCat(kGood, "reflection: false"), "g.yaml", {})->reflection());
  EXPECT_FALSE(Parse(kGood, "g.yaml", {{"IPP_REFLECTION", "false"}})->reflection());
}

}  // namespace
}  // namespace ipp::config
