#include "server/console/html.h"

#include "gmock/gmock.h"

namespace ipp::console {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

TEST(Html, EscapesWhatComesFromOutside) {
  EXPECT_EQ(Html().Text("<b>\"a\" & 'b'</b>\x01").Take(),
            "&lt;b&gt;&quot;a&quot; &amp; &#39;b&#39;&lt;/b&gt; ");
  EXPECT_EQ(Html().Link("/console", {{"q", "a&b=\"c\" ö"}}, "<x>").Take(),
            "<a href=\"/console?q=a%26b%3D%22c%22%20%C3%B6\">&lt;x&gt;</a>");
}

TEST(Html, ReadsParameters) {
  EXPECT_THAT(ParametersOf("/console?q=4711&x=a+b%20c&%3D=%zz&alone&q=2"),
              ElementsAre(Pair("q", "4711"), Pair("x", "a b c"), Pair("=", "%zz"),
                          Pair("alone", ""), Pair("q", "2")));
  EXPECT_EQ(ParameterOf("/console?q=4711&q=2", "q"), "4711");
  EXPECT_EQ(ParameterOf("/console", "q"), "");
  EXPECT_EQ(ParameterOf("/console?q=%", "q"), "%");
}

// What reads it aloud, or shows it on a phone or in the dark, finds what it needs.
TEST(Html, APageIsForEveryone) {
  const std::string page = Page("Overview", Html().Table("Cap", {"H"}, {{"c"}}).Take());
  for (const char* part :
       {"<html lang=\"en\">", "name=\"viewport\"", "prefers-color-scheme: dark",
        "<a class=\"skip\" href=\"#main\">", "<main id=\"main\">", "<caption>Cap</caption>",
        "<th scope=\"col\">H</th>", ":focus-visible"}) {
    EXPECT_THAT(page, HasSubstr(part));
  }
  EXPECT_THAT(page, Not(HasSubstr("<script")));
}

}  // namespace
}  // namespace ipp::console
