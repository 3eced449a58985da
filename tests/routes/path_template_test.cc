#include "server/routes/path_template.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ipp::routes {
namespace {

using ::testing::HasSubstr;

class WrongLiteral : public ::testing::TestWithParam<const char*> {};

// It would reach the upstream as another path than the contract shows.
TEST_P(WrongLiteral, IsRefused) {
  const auto path = PathTemplate::Parse(GetParam());
  ASSERT_FALSE(path.ok());
  EXPECT_THAT(std::string(path.status().message()), HasSubstr("a literal needs no escape"));
}

INSTANTIATE_TEST_SUITE_P(PathTemplate, WrongLiteral,
                         ::testing::Values("/a/../b", "/a/.", "/..", "/a b", "/a\nb", "/a\x7f",
                                           "/\xc3\xa5", "/a?b", "/a#b", "/a%2e", "/a{b}"));

TEST(PathTemplate, RefusesAVariableThatIsNoFieldsName) {
  for (const char* text : {"/{}", "/{a{b}", "/{a.b}", "/{a b}", "/{\xff}"}) {
    const auto path = PathTemplate::Parse(text);
    ASSERT_FALSE(path.ok()) << text;
    EXPECT_THAT(std::string(path.status().message()), HasSubstr("has a malformed variable"));
  }
}

TEST(PathTemplate, TakesDotsInsideASegment) {
  const auto path = PathTemplate::Parse("/v1.0/a.b/..c");
  ASSERT_TRUE(path.ok()) << path.status();
  EXPECT_EQ(path->Expand([](size_t) { return ""; }).value(), "/v1.0/a.b/..c");
}

}  // namespace
}  // namespace ipp::routes
