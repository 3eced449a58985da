#include "client/ippctl/flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ipp::ippctl {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

std::vector<Flag> Known() {
  return {
      {.name = "name", .value = "TEXT", .help = "a name", .required = true},
      {.name = "count", .kind = FlagKind::kInteger, .value = "N", .help = "how many"},
      {.name = "output", .value = "FORMAT", .help = "a format", .letter = 'o', .fallback = "table"},
      {.name = "pair", .kind = FlagKind::kPair, .value = "K=V", .help = "a pair", .repeated = true},
      {.name = "wait", .kind = FlagKind::kDuration, .value = "D", .help = "a time to wait"},
      {.name = "since",
       .kind = FlagKind::kTime,
       .value = "T",
       .help = "a time",
       .environment = "SINCE"},
      {.name = "quiet", .kind = FlagKind::kSwitch, .help = "says nothing"}};
}

struct Parsed {
  absl::Status status;
  FlagValues values;
  std::vector<std::string> words;
  std::vector<std::string> rest;
};

Parsed Parse(std::vector<std::string> args, bool stop_at_word = false) {
  Parsed parsed;
  parsed.rest = std::move(args);
  parsed.status = ParseFlags(Known(), stop_at_word, &parsed.rest, &parsed.words, &parsed.values);
  return parsed;
}

TEST(IppctlFlags, AreReadInEveryForm) {
  const Parsed parsed =
      Parse({"--name=a=b", "first", "--count", "-5", "-o", "json", "--pair", "k=v=w", "--pair",
             "l=", "--wait=1m30s", "--quiet", "-", "--", "--name"});
  ASSERT_TRUE(parsed.status.ok()) << parsed.status;
  EXPECT_EQ(parsed.values.Text("name"), "a=b");
  EXPECT_EQ(parsed.values.Integer("count"), -5);
  EXPECT_EQ(parsed.values.Text("output"), "json");
  EXPECT_THAT(parsed.values.Pairs("pair"), ElementsAre(Pair("k", "v=w"), Pair("l", "")));
  EXPECT_EQ(parsed.values.Duration("wait"), absl::Seconds(90));
  EXPECT_TRUE(parsed.values.Has("quiet"));
  EXPECT_FALSE(parsed.values.Has("since"));
  EXPECT_THAT(parsed.words, ElementsAre("first", "-", "--name"));
  EXPECT_TRUE(parsed.rest.empty());
}

TEST(IppctlFlags, StopAtTheFirstWord) {
  const Parsed parsed = Parse({"-o", "json", "list", "--unknown"}, true);
  ASSERT_TRUE(parsed.status.ok());
  EXPECT_THAT(parsed.rest, ElementsAre("list", "--unknown"));
}

TEST(IppctlFlags, ComeFromTheEnvironmentAndThenFromTheFallback) {
  Parsed parsed = Parse({"--name", "x"});
  const auto getenv = [](const std::string& name) {
    return std::string(name == "SINCE" ? "2026-01-31T08:00:00Z" : "");
  };
  ASSERT_TRUE(CompleteFlags(Known(), getenv, {}, &parsed.values).ok());
  EXPECT_EQ(parsed.values.Time("since"), absl::FromUnixSeconds(1'769'846'400));
  EXPECT_EQ(parsed.values.Text("output"), "table");
}

TEST(IppctlFlags, RefuseABadEnvironmentAndAMissingRequiredOne) {
  Parsed parsed = Parse({});
  const auto nothing = [](const std::string&) { return std::string(); };
  EXPECT_EQ(std::string(CompleteFlags(Known(), nothing, {}, &parsed.values).message()),
            "--name is required");
  parsed = Parse({"--name", "x"});
  const auto bad = [](const std::string&) { return std::string("soon"); };
  EXPECT_EQ(std::string(CompleteFlags(Known(), bad, {}, &parsed.values).message()),
            "SINCE: 'soon' is not a time such as 2026-01-31T08:00:00Z");
}

struct BadFlags {
  const char* name;
  std::vector<std::string> args;
  const char* message;
};

class IppctlFlagsRefuse : public ::testing::TestWithParam<BadFlags> {};

TEST_P(IppctlFlagsRefuse, BadInput) {
  EXPECT_EQ(std::string(Parse(GetParam().args).status.message()), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    All, IppctlFlagsRefuse,
    ::testing::ValuesIn(std::vector<BadFlags>{
        {"Unknown", {"--nmae", "x"}, "unknown flag --nmae; did you mean --name?"},
        {"UnknownPrefix", {"--out", "x"}, "unknown flag --out; did you mean --output?"},
        {"UnknownFar", {"--zebra"}, "unknown flag --zebra"},
        {"UnknownLetter", {"-x"}, "unknown flag -x"},
        {"Letters", {"-ojson"}, "unknown flag -ojson"},
        {"Twice", {"--name", "a", "--name", "b"}, "--name is given twice"},
        {"NoValue", {"--name"}, "--name needs a value"},
        {"FlagForValue", {"--name", "--quiet"}, "--name needs a value"},
        {"EmptyValue", {"--name="}, "--name is empty"},
        {"SwitchWithValue", {"--quiet=no"}, "--quiet takes no value"},
        {"NotANumber", {"--count", "five"}, "--count: 'five' is not a whole number"},
        {"NumberTooLarge",
         {"--count", "9223372036854775808"},
         "--count: '9223372036854775808' is not a whole number"},
        {"NotAPair", {"--pair", "key"}, "--pair: 'key' is not of the form key=value"},
        {"PairWithoutKey", {"--pair", "=v"}, "--pair: '=v' is not of the form key=value"},
        {"NotADuration", {"--wait", "10"}, "--wait: '10' is not a duration such as 10s or 1h30m"},
        {"NegativeDuration",
         {"--wait", "-1s"},
         "--wait: '-1s' is not a duration such as 10s or 1h30m"},
        {"EndlessDuration",
         {"--wait", "inf"},
         "--wait: 'inf' is not a duration such as 10s or 1h30m"},
        {"NotATime",
         {"--since", "2026-01-31"},
         "--since: '2026-01-31' is not a time such as 2026-01-31T08:00:00Z"}}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace ipp::ippctl
