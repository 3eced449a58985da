#include "server/store/answers.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>
#include <vector>

namespace ipp::store {
namespace {

TEST(AnswersTest, RunsThemInTheirOrderOnAThreadOfItsOwn) {
  std::vector<int> order;
  std::promise<std::thread::id> thread;
  {
    Answers answers;
    for (int i = 0; i < 1000; ++i) answers.Push([&order, i] { order.push_back(i); });
    answers.Push([&thread] { thread.set_value(std::this_thread::get_id()); });
    EXPECT_NE(thread.get_future().get(), std::this_thread::get_id());
    answers.Push([&order] { order.push_back(1000); });
  }
  ASSERT_EQ(order.size(), 1001) << "the destructor runs what is left";
  for (int i = 0; i <= 1000; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

}  // namespace
}  // namespace ipp::store
