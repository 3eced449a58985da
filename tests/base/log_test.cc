#include "server/base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "absl/strings/str_cat.h"

namespace ipp {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

template <typename Action>
std::string Logged(Action action) {
  testing::internal::CaptureStderr();
  action();
  return testing::internal::GetCapturedStderr();
}

class LogTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(SetLogLevel("info").ok()); }
  void TearDown() override { ASSERT_TRUE(SetLogLevel("info").ok()); }
};

TEST_F(LogTest, WritesTimeLevelMessageAndPairs) {
  EXPECT_THAT(Logged([] {
                LogInfo("listening", {{"port", "50051"}, {"tls", "true"}});
              }),
              MatchesRegex("[0-9]+-[0-9]+-[0-9]+T[0-9]+:[0-9]+:[0-9]+\\.[0-9]+Z "
                           "info listening port=50051 tls=true\n"));
}

struct ValueRow {
  std::string name;
  std::string value;
  std::string written;
};

void PrintTo(const ValueRow& row, std::ostream* out) { *out << row.name; }

class LogValue : public LogTest, public ::testing::WithParamInterface<ValueRow> {};

TEST_P(LogValue, CannotEndTheLineOrPretendToBeAnother) {
  EXPECT_THAT(Logged([] {
                LogError("m", {{"k", GetParam().value}});
              }),
              EndsWith(" m k=" + GetParam().written + "\n"));
}

INSTANTIATE_TEST_SUITE_P(
    Rows, LogValue,
    ::testing::Values(ValueRow{"Word", "word", "word"}, ValueRow{"Empty", "", "\"\""},
                      ValueRow{"Space", "a b=c", "\"a b=c\""},
                      ValueRow{"Newline", "a\n2026 info b", R"("a\n2026 info b")"},
                      ValueRow{"CarriageReturn", "a\rb", R"("a\rb")"},
                      ValueRow{"Quote", "a\"b", R"("a\"b")"},
                      ValueRow{"Backslash", "a\\n", R"("a\\n")"},
                      ValueRow{"Escape", "\x1b[31m", R"("\x1b[31m")"},
                      ValueRow{"Nul", std::string("a\0-", 3), R"("a\x00-")"},
                      ValueRow{"NotAscii", "\xc3\xa5", R"("\xc3\xa5")"},
                      ValueRow{"FormatPattern", "{}%n", "{}%n"}),
    [](const auto& info) { return info.param.name; });

TEST_F(LogTest, KeepsAMessageOnOneLine) {
  EXPECT_THAT(Logged([] { LogInfo("a \"b\""); }), EndsWith(" info a \"b\"\n"));
  EXPECT_THAT(Logged([] { LogInfo("a\nb {}"); }), EndsWith(" info a\\nb {}\n"));
}

TEST_F(LogTest, WritesWhatTheLevelLetsThrough) {
  const auto all = [] {
    LogDebug("m1");
    LogInfo("m2");
    LogWarning("m3");
    LogError("m4");
  };
  EXPECT_THAT(Logged(all), testing::Not(HasSubstr("m1")));
  ASSERT_TRUE(SetLogLevel("debug").ok());
  EXPECT_THAT(Logged(all), HasSubstr("debug m1"));
  ASSERT_TRUE(SetLogLevel("warning").ok());
  EXPECT_THAT(Logged(all), testing::AllOf(testing::Not(HasSubstr("m2")), HasSubstr("m3")));
  ASSERT_TRUE(SetLogLevel("error").ok());
  EXPECT_THAT(Logged(all), testing::AllOf(testing::Not(HasSubstr("m3")), HasSubstr("m4")));
  ASSERT_TRUE(SetLogLevel("off").ok());
  EXPECT_EQ(Logged(all), "");
}

TEST_F(LogTest, WritesTheAuditWhateverTheLevelIs) {
  const auto audit = [] { LogAudit({{"caller", "shop"}, {"subject", "a b\nc"}}); };
  EXPECT_THAT(Logged(audit), MatchesRegex("[0-9]+-[0-9]+-[0-9]+T[0-9]+:[0-9]+:[0-9]+\\.[0-9]+Z "
                                          "audit caller=shop subject=\"a b\\\\nc\"\n"));
  ASSERT_TRUE(SetLogLevel("off").ok());
  EXPECT_THAT(Logged(audit), HasSubstr(" audit caller=shop "));
}

class JsonLogTest : public LogTest {
 protected:
  void SetUp() override { ASSERT_TRUE(SetLogFormat("json").ok()); }
  void TearDown() override { ASSERT_TRUE(SetLogFormat("text").ok()); }
};

constexpr char kTime[] = R"(\{"time":"[0-9]+-[0-9]+-[0-9]+T[0-9]+:[0-9]+:[0-9]+\.[0-9]+Z",)";

TEST_F(JsonLogTest, WritesOneObjectALine) {
  EXPECT_THAT(
      Logged([] {
        LogInfo("listening", {{"port", "50051"}, {"tls", ""}});
      }),
      MatchesRegex(absl::StrCat(
          kTime, R"("level":"info","message":"listening","port":"50051","tls":""\})", "\n")));
  EXPECT_THAT(Logged([] {
                LogAudit({{"caller", "shop"}});
              }),
              MatchesRegex(absl::StrCat(
                  kTime, R"("level":"audit","message":"audit","caller":"shop"\})", "\n")));
  EXPECT_THAT(Logged([] { LogError("a \"b\"\n{}"); }),
              EndsWith(R"("level":"error","message":"a \"b\"\n{}"})"
                       "\n"));
}

TEST_F(JsonLogTest, GivesALineForStdout) {
  EXPECT_THAT(
      StdoutLine("listening", {{"grpc", "1"}}),
      MatchesRegex(absl::StrCat(kTime, R"("level":"info","message":"listening","grpc":"1"\})")));
  ASSERT_TRUE(SetLogFormat("text").ok());
  EXPECT_EQ(StdoutLine("listening", {{"grpc", "1"}}), "listening grpc=1");
}

class JsonValue : public JsonLogTest, public ::testing::WithParamInterface<ValueRow> {};

TEST_P(JsonValue, IsAValidString) {
  EXPECT_THAT(Logged([] {
                LogError("m", {{"k", GetParam().value}});
              }),
              EndsWith(absl::StrCat(R"("k":")", GetParam().written, "\"}\n")));
}

// U+FFFD for each byte that is no part of a character.
#define REPLACED "\xef\xbf\xbd"

INSTANTIATE_TEST_SUITE_P(
    Rows, JsonValue,
    ::testing::Values(ValueRow{"Empty", "", ""}, ValueRow{"Space", "a b=c", "a b=c"},
                      ValueRow{"LineBreaks", "a\nb\r\tc", R"(a\nb\r\tc)"},
                      ValueRow{"Quote", R"(a"b\)", R"(a\"b\\)"},
                      ValueRow{"Control", std::string("\x1b\0\x7f", 3), R"(\u001b\u0000\u007f)"},
                      ValueRow{"Object", R"(","level":"info)", R"(\",\"level\":\"info)"},
                      ValueRow{"TwoBytes", "\xc3\xa5", "\xc3\xa5"},
                      ValueRow{"ThreeBytes", "\xe2\x82\xac", "\xe2\x82\xac"},
                      ValueRow{"FourBytes", "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
                      ValueRow{"LastCharacter", "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
                      ValueRow{"NoStart", "a\x80z", "a" REPLACED "z"},
                      ValueRow{"CutShort", "a\xe2\x82", "a" REPLACED REPLACED},
                      ValueRow{"CutByAnother", "\xc3(", REPLACED "("},
                      ValueRow{"Overlong", "\xc0\xaf", REPLACED REPLACED},
                      ValueRow{"OverlongOfThree", "\xe0\x80\xaf", REPLACED REPLACED REPLACED},
                      ValueRow{"OverlongOfFour", "\xf0\x80\x80\xaf",
                               REPLACED REPLACED REPLACED REPLACED},
                      ValueRow{"Surrogate", "\xed\xa0\x80", REPLACED REPLACED REPLACED},
                      ValueRow{"TooLarge", "\xf4\x90\x80\x80", REPLACED REPLACED REPLACED REPLACED},
                      ValueRow{"NoByteOfUtf8", "\xff\xfe", REPLACED REPLACED}),
    [](const auto& info) { return info.param.name; });

TEST_F(LogTest, RefusesAFormatThatDoesNotExist) {
  EXPECT_EQ(SetLogFormat("xml").message(), "log format 'xml' is none of text, json");
}

TEST_F(LogTest, RefusesALevelThatDoesNotExist) {
  EXPECT_EQ(SetLogLevel("loud").message(),
            "log level 'loud' is none of debug, info, warning, error, off");
}

}  // namespace
}  // namespace ipp
