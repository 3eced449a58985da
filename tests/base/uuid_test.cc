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

}  // namespace
}  // namespace ipp
