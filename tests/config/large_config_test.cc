#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/base/error.h"
#include "server/config/config.h"

// Texts that are short for what they stand for. Each test would take minutes otherwise.
namespace ipp::config {
namespace {

using ::testing::HasSubstr;

std::string Times(int count, const std::string& text) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

TEST(LargeConfig, WithAliasesOfAliasesIsRefusedAsTooMany) {
  const std::string yaml =
      "callers:\n- &a {permissions: [" + Times(10'000, "x,") + "]}\n" + Times(10'000, "- *a\n");
  const absl::Status status = Parse(yaml, "g.yaml", {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(status.message()), "g.yaml:2: too many values");
}

TEST(LargeConfig, WithAliasesOfAliasesInAVariableIsRefusedAsTooMany) {
  const std::string yaml =
      "[&a {permissions: [" + Times(10'000, "x,") + "]}, " + Times(10'000, "*a, ") + "]";
  const absl::Status status = Parse("", "g.yaml", {{"IPP_CALLERS", yaml}}).status();
  EXPECT_EQ(std::string(status.message()), "IPP_CALLERS: too many values");
}

TEST(LargeConfig, WithThousandsOfMistakesIsToldAHundred) {
  for (const std::string& yaml :
       {Times(100'000, "a: 1\n"), "merchants: [" + Times(10'000, "a,") + "]",
        "merchants: [" + Times(10'000, "{},") + "]", Times(10'000, "--- a\n")}) {
    const absl::Status status = Parse(yaml, "g.yaml", {}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("\nand more"));
    EXPECT_EQ(GetErrorDetail(status).violations.size(), 101u);
  }
}

TEST(LargeConfig, WithThousandsOfMerchantsIsTaken) {
  std::string yaml =
      "upstream: {base_url: https://api.kustom.co}\nstore: {sqlite: {path: "
      "gateway.db}}\nmerchants:\n";
  for (int i = 0; i < 5000; ++i) {
    yaml += "- {id: PM" + std::to_string(i) + ", api_key_file: key}\n";
  }
  const auto config = Parse(yaml, "g.yaml", {});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->merchants_size(), 5000);
}

}  // namespace
}  // namespace ipp::config
