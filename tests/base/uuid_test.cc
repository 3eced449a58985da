#include "server/base/uuid.h"

#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <string>

namespace ipp {
namespace {

TEST(NewUuid, IsAVersionFourUuidInLowerCase) {
  const std::regex shape("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}");
  std::set<std::string> all;
  for (int i = 0; i < 1000; ++i) {
    const std::string uuid = NewUuid();
    EXPECT_TRUE(std::regex_match(uuid, shape)) << uuid;
    all.insert(uuid);
  }
  EXPECT_EQ(all.size(), 1000u);
}

TEST(IsUuid, TakesEitherLetterCaseAndNothingElse) {
  EXPECT_TRUE(IsUuid("0123abcd-0123-4567-89ab-0123456789ab"));
  EXPECT_TRUE(IsUuid("0123ABCD-0123-4567-89aB-0123456789Ab"));
  for (const char* text :
       {"", "0123abcd012345678 9ab0123456789ab", "0123abcd-0123-4567-89ab-0123456789a",
        "0123abcd-0123-4567-89ab-0123456789abc", "0123abcg-0123-4567-89ab-0123456789ab",
        "0123abcd-0123-456-789ab-0123456789ab", "{123abcd-0123-4567-89ab-0123456789a}"}) {
    EXPECT_FALSE(IsUuid(text)) << text;
  }
}

TEST(CanonicalUuid, IsInLowerCase) {
  EXPECT_EQ(CanonicalUuid("0123ABCD-0123-4567-89aB-0123456789Ab"),
            "0123abcd-0123-4567-89ab-0123456789ab");
  EXPECT_EQ(CanonicalUuid("Not A UUID"), "Not A UUID");
}

}  // namespace
}  // namespace ipp
