#include "client/ippctl/text.h"

#include <gtest/gtest.h>

#include "client/ippctl/look.h"
#include "client/ippctl/table.h"

namespace ipp::ippctl {
namespace {

TEST(IppctlPrintable, LetsNoEscapeSequenceReachTheTerminal) {
  EXPECT_EQ(Printable("Till\x1b[31m\n1"), "Till\uFFFD[31m\uFFFD1");
  EXPECT_EQ(Printable("a\u009Bb\u202Ec"), "a\uFFFDb\uFFFDc");
}

TEST(IppctlPrintable, ReplacesWhatIsNotUtf8) {
  EXPECT_EQ(Printable("a\xff"
                      "b\xc3"),
            "a\uFFFDb\uFFFD");
  EXPECT_EQ(Printable("\xed\xa0\x80"), "\uFFFD\uFFFD\uFFFD");            // a surrogate
  EXPECT_EQ(Printable("\xc0\xaf"), "\uFFFD\uFFFD");                      // overlong
  EXPECT_EQ(Printable("\xf4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD");  // beyond Unicode
  EXPECT_EQ(Printable("Smörgås 北京 😀"), "Smörgås 北京 😀");
}

TEST(IppctlDisplayWidth, CountsColumns) {
  EXPECT_EQ(DisplayWidth("Kassa"), 5u);
  EXPECT_EQ(DisplayWidth("Smörgås"), 7u);
  EXPECT_EQ(DisplayWidth("o\u0308"), 1u);
  EXPECT_EQ(DisplayWidth("北京"), 4u);
  EXPECT_EQ(DisplayWidth("😀"), 2u);
}

TEST(IppctlTable, AlignsByColumnsNotBytes) {
  Table table(std::vector<std::string>{"NAME", "CITY"});
  table.Add({"Smörgås", "Malmö"});
  table.Add({"北京", ""});
  table.Add({"Till", "Lund"});
  EXPECT_EQ(table.Render(),
            "NAME     CITY\n"
            "Smörgås  Malmö\n"
            "北京\n"
            "Till     Lund\n");
}

TEST(IppctlTable, FitsTheTerminalByCuttingTextAndThenLeavingColumnsOut) {
  Table table(std::vector<Table::Heading>{{.text = "ID"},
                                          {.text = "NAME", .shrinks = true},
                                          {.text = "CITY", .drop = 1},
                                          {.text = "LAND", .drop = 2}});
  table.Add({"1234", "A long name, 北京", "Malmö", "SE"});
  EXPECT_EQ(table.Render({.width = 200}),
            "ID    NAME               CITY   LAND\n"
            "1234  A long name, 北京  Malmö  SE\n");
  EXPECT_EQ(table.Render({.width = 30}),
            "ID    NAME         CITY   LAND\n"
            "1234  A long nam…  Malmö  SE\n");
  EXPECT_EQ(table.Render({.width = 20}),
            "ID    NAME\n"
            "1234  A long name, …\n");
  EXPECT_EQ(table.Render({.width = 5}),
            "ID    NAME\n"
            "1234  A long …\n");
}

TEST(IppctlTable, PaintsHeadersAndStatusesOnATerminalOnly) {
  Table table(std::vector<Table::Heading>{{.text = "ID"}, {.text = "STATUS", .painted = true}});
  table.Add({"FAILED", "FAILED"});
  EXPECT_EQ(table.Render({.color = true}),
            "\x1b[1mID\x1b[0m      \x1b[1mSTATUS\x1b[0m\nFAILED  \x1b[31mFAILED\x1b[0m\n");
  EXPECT_EQ(table.Render(), "ID      STATUS\nFAILED  FAILED\n");
}

TEST(IppctlShortened, EndsWithAnEllipsisAndKeepsWideCharactersWhole) {
  EXPECT_EQ(Shortened("Malmö", 5), "Malmö");
  EXPECT_EQ(Shortened("Malmö", 4), "Mal…");
  EXPECT_EQ(Shortened("北京市", 4), "北…");
  EXPECT_EQ(Shortened("abc", 0), "");
}

TEST(IppctlWrapped, BreaksAtSpacesAndKeepsParagraphsAndCode) {
  EXPECT_EQ(Wrapped("one two three four", 9), "one two\nthree\nfour");
  EXPECT_EQ(Wrapped("one two", 5, 2), "one\n  two");
  EXPECT_EQ(Wrapped("a\nb\n\nc", 9), "a b\n\nc");
  EXPECT_EQ(Wrapped("a\n  code  here\nb", 9), "a\n  code  here\nb");
  EXPECT_EQ(Wrapped("averylongword b", 4), "averylongword\nb");
}

TEST(IppctlFormatTimestamp, SaysTheZone) {
  google::protobuf::Timestamp time;
  EXPECT_EQ(FormatTimestamp(time), "");
  time.set_seconds(1'769'846'400);
  EXPECT_EQ(FormatTimestamp(time), "2026-01-31T08:00:00Z");
  EXPECT_EQ(FormatTimestamp(time, absl::FixedTimeZone(3600)), "2026-01-31T09:00:00+01:00");
}

TEST(IppctlProperties, LeavesOutWhatIsEmpty) {
  Properties properties;
  properties.Add("Name", "Till\t1");
  properties.Add("Order", "");
  properties.Add("Merchant data", "x");
  EXPECT_EQ(properties.Render(),
            "Name           Till\uFFFD1\n"
            "Merchant data  x\n");
}

TEST(IppctlFormatAge, SaysTheLargestUnitThatFits) {
  EXPECT_EQ(FormatAge(absl::Seconds(-5)), "0s");
  EXPECT_EQ(FormatAge(absl::Milliseconds(59'999)), "59s");
  EXPECT_EQ(FormatAge(absl::Seconds(60)), "1m");
  EXPECT_EQ(FormatAge(absl::Minutes(59) + absl::Seconds(59)), "59m");
  EXPECT_EQ(FormatAge(absl::Hours(1)), "1h");
  EXPECT_EQ(FormatAge(absl::Hours(23) + absl::Minutes(59)), "23h");
  EXPECT_EQ(FormatAge(absl::Hours(24 * 7)), "7d");
}

struct MoneyCase {
  const char* name;
  int64_t minor;
  const char* currency;
  const char* text;
};

class IppctlFormatsMoney : public ::testing::TestWithParam<MoneyCase> {};

TEST_P(IppctlFormatsMoney, WithTheCurrencysDecimals) {
  EXPECT_EQ(FormatMoney(GetParam().minor, GetParam().currency), GetParam().text);
}

INSTANTIATE_TEST_SUITE_P(All, IppctlFormatsMoney,
                         ::testing::ValuesIn(std::vector<MoneyCase>{
                             {"Whole", 25000, "SEK", "250.00 SEK"},
                             {"Small", 5, "EUR", "0.05 EUR"},
                             {"Zero", 0, "SEK", "0.00 SEK"},
                             {"Negative", -1050, "SEK", "-10.50 SEK"},
                             {"NoDecimals", -3, "JPY", "-3 JPY"},
                             {"ThreeDecimals", 12, "KWD", "0.012 KWD"},
                             {"NoCurrency", 100, "", "1.00"},
                             {"Smallest", INT64_MIN, "SEK", "-92233720368547758.08 SEK"}}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace ipp::ippctl
