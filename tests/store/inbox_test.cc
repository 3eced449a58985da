#include "server/store/inbox.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace ipp::store {
namespace {

using Names = std::vector<std::string>;

class InboxTest : public testing::Test {
 protected:
  bool Push(std::string name) { return inbox_.Push(name); }
  Names Take(size_t max) { return inbox_.Take(max, std::chrono::seconds(0)).work; }

  Metrics metrics_;
  Inbox<std::string> inbox_{2, &metrics_.gauge("depth", "")};
};

TEST_F(InboxTest, HandsWorkOutInItsOrder) {
  EXPECT_TRUE(Push("a"));
  EXPECT_TRUE(Push("b"));
  EXPECT_EQ(Take(1), (Names{"a"}));
  EXPECT_TRUE(Push("c"));
  EXPECT_EQ(Take(9), (Names{"b", "c"}));
  EXPECT_EQ(Take(9), Names());
}

// As when the disk hangs: the consumer takes nothing out.
TEST_F(InboxTest, RefusesWhatIsTooMuchAndLeavesItUnchanged) {
  EXPECT_TRUE(Push("a"));
  EXPECT_TRUE(Push("b"));
  std::string refused = "c";
  EXPECT_FALSE(inbox_.Push(refused));
  EXPECT_EQ(refused, "c");
  EXPECT_EQ(metrics_.gauge("depth", "").value(), 2);
  EXPECT_EQ(Take(9), (Names{"a", "b"}));
  EXPECT_EQ(metrics_.gauge("depth", "").value(), 0);
  EXPECT_TRUE(Push("c"));
}

TEST_F(InboxTest, HandsOutWhatIsLeftWhenItStops) {
  EXPECT_TRUE(Push("a"));
  EXPECT_TRUE(Push("b"));
  inbox_.Stop();
  const auto taken = inbox_.Take(1, std::chrono::hours(1));
  EXPECT_TRUE(taken.stopping);
  EXPECT_EQ(taken.work, (Names{"a", "b"}));
}

}  // namespace
}  // namespace ipp::store
