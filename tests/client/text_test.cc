#include "client/ippctl/text.h"

#include <gtest/gtest.h>

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
  Table table({"NAME", "CITY"});
  table.Add({"Smörgås", "Malmö"});
  table.Add({"北京", ""});
  table.Add({"Till", "Lund"});
  EXPECT_EQ(table.Render(),
            "NAME     CITY\n"
            "Smörgås  Malmö\n"
            "北京\n"
            "Till     Lund\n");
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
