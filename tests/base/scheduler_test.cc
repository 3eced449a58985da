#include "server/base/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace ipp {
namespace {

using ::testing::ElementsAre;

TEST(ThreadScheduler, RunsOnItsOwnThread) {
  ThreadScheduler scheduler;
  std::promise<std::thread::id> ran;
  EXPECT_NE(scheduler.RunAfter(absl::ZeroDuration(),
                               [&ran] { ran.set_value(std::this_thread::get_id()); }),
            0);
  EXPECT_NE(ran.get_future().get(), std::this_thread::get_id());
}

// Everything is handed in from a task, so that the thread cannot begin before all is there.
TEST(ThreadScheduler, RunsInTheOrderOfTheDelaysAndThenOfTheCalls) {
  ThreadScheduler scheduler;
  std::vector<int> order;
  std::promise<void> done;
  scheduler.RunAfter(-absl::Hours(1), [&] {
    scheduler.RunAfter(absl::Milliseconds(20), [&] {
      order.push_back(4);
      done.set_value();
    });
    scheduler.RunAfter(absl::Milliseconds(1), [&] { order.push_back(2); });
    scheduler.RunAfter(absl::Milliseconds(10), [&] { order.push_back(3); });
    scheduler.RunAfter(-absl::InfiniteDuration(), [&] { order.push_back(1); });
    order.push_back(0);
  });
  done.get_future().wait();
  EXPECT_THAT(order, ElementsAre(0, 1, 2, 3, 4));
}

TEST(ThreadScheduler, DoesNotRunWhatWasCancelled) {
  ThreadScheduler scheduler;
  std::promise<bool> cancelled;
  std::promise<void> done;
  bool ran = false;
  scheduler.RunAfter(absl::ZeroDuration(), [&] {
    const auto id = scheduler.RunAfter(absl::ZeroDuration(), [&ran] { ran = true; });
    cancelled.set_value(scheduler.Cancel(id));
    scheduler.RunAfter(absl::Milliseconds(1), [&done] { done.set_value(); });
  });
  EXPECT_TRUE(cancelled.get_future().get());
  done.get_future().wait();
  EXPECT_FALSE(ran);
}

TEST(ThreadScheduler, CannotCancelWhatRunsOrHasRunOrNeverWas) {
  ThreadScheduler scheduler;
  std::promise<Scheduler::TaskId> id;
  std::promise<bool> cancelled;
  id.set_value(scheduler.RunAfter(
      absl::ZeroDuration(), [&] { cancelled.set_value(scheduler.Cancel(id.get_future().get())); }));
  EXPECT_FALSE(cancelled.get_future().get());
  EXPECT_FALSE(scheduler.Cancel(1));
  EXPECT_FALSE(scheduler.Cancel(0));
  EXPECT_FALSE(scheduler.Cancel(1000));
}

TEST(ThreadScheduler, CancelsOnce) {
  ThreadScheduler scheduler;
  const auto id = scheduler.RunAfter(absl::InfiniteDuration(), [] {});
  EXPECT_TRUE(scheduler.Cancel(id));
  EXPECT_FALSE(scheduler.Cancel(id));
}

TEST(ThreadScheduler, RunsSoonWhileAnotherTaskWaitsForEver) {
  ThreadScheduler scheduler;
  scheduler.RunAfter(absl::InfiniteDuration(), [] {});
  std::promise<void> ran;
  scheduler.RunAfter(absl::ZeroDuration(), [&ran] { ran.set_value(); });
  ran.get_future().wait();
}

// Calls the scheduler when it goes away.
struct CallsBack {
  explicit CallsBack(Scheduler* s) : scheduler(s) {}
  ~CallsBack() { scheduler->Cancel(1); }
  Scheduler* scheduler;
};

TEST(ThreadScheduler, DropsACancelledTaskOutsideItsLock) {
  ThreadScheduler scheduler;
  const auto id = scheduler.RunAfter(absl::InfiniteDuration(),
                                     [held = std::make_unique<CallsBack>(&scheduler)] {});
  EXPECT_TRUE(scheduler.Cancel(id));
}

TEST(ThreadScheduler, DropsWhatStillWaitsAtItsEnd) {
  auto held = std::make_shared<int>(1);
  bool ran = false;
  {
    ThreadScheduler scheduler;
    scheduler.RunAfter(absl::Hours(1), [held, &ran] { ran = true; });
    EXPECT_EQ(held.use_count(), 2);
  }
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace ipp
