#include "server/store/inbox.h"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace ipp::store {
namespace {

// A call, and how it ended.
struct Call {
  std::string name;
  std::shared_ptr<std::promise<std::thread::id>> refused;
};

class InboxTest : public testing::Test {
 protected:
  std::future<std::thread::id> Push(const std::string& name) {
    auto refused = std::make_shared<std::promise<std::thread::id>>();
    auto future = refused->get_future();
    inbox_.Push({name, std::move(refused)});
    return future;
  }
  std::vector<std::string> NamesOf(const Inbox<Call>::Taken& taken) {
    std::vector<std::string> names;
    for (const Call& call : taken.work) names.push_back(call.name);
    return names;
  }

  Metrics metrics_;
  Inbox<Call> inbox_{2, &metrics_.gauge("depth", ""),
                     [](Call& call) { call.refused->set_value(std::this_thread::get_id()); }};
};

using Names = std::vector<std::string>;

TEST_F(InboxTest, HandsWorkOutInItsOrder) {
  Push("a");
  Push("b");
  EXPECT_EQ(NamesOf(inbox_.Take(1, std::chrono::seconds(0))), (Names{"a"}));
  Push("c");
  EXPECT_EQ(NamesOf(inbox_.Take(9, std::chrono::seconds(0))), (Names{"b", "c"}));
  EXPECT_EQ(NamesOf(inbox_.Take(9, std::chrono::seconds(0))), Names());
}

// Nobody takes anything out here: as when the disk hangs.
TEST_F(InboxTest, RefusesWhatIsTooMuchWhileNobodyWorks) {
  auto first = Push("a");
  auto second = Push("b");
  for (int i = 0; i < 1000; ++i) {
    EXPECT_NE(Push("c").get(), std::this_thread::get_id()) << "not inside the call";
  }
  EXPECT_EQ(first.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  EXPECT_EQ(second.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  EXPECT_EQ(metrics_.gauge("depth", "").value(), 2);
  EXPECT_EQ(NamesOf(inbox_.Take(9, std::chrono::seconds(0))), (Names{"a", "b"}));
}

TEST_F(InboxTest, HandsOutWhatIsLeftWhenItStops) {
  Push("a");
  auto refused = std::vector<std::future<std::thread::id>>();
  Push("b");
  for (int i = 0; i < 100; ++i) refused.push_back(Push("c"));
  inbox_.Stop();
  const auto taken = inbox_.Take(1, std::chrono::hours(1));
  EXPECT_TRUE(taken.stopping);
  EXPECT_EQ(NamesOf(taken), (Names{"a", "b"}));
  for (auto& one : refused) one.get();
}

}  // namespace
}  // namespace ipp::store
