#include "server/base/periodic_task.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>

#include "tests/support/fake_clock.h"

namespace ipp {
namespace {

constexpr absl::Duration kInterval = absl::Seconds(10);

class PeriodicTaskTest : public testing::Test {
 protected:
  FakeClock clock_;
  FakeScheduler scheduler_{&clock_};
};

TEST_F(PeriodicTaskTest, RunsAtOnceAndThenAnIntervalAfterEachEnd) {
  int runs = 0;
  PeriodicTask task(&scheduler_, kInterval, [&](PeriodicTask::Run) { ++runs; });
  EXPECT_EQ(runs, 0);
  task.Start();
  EXPECT_EQ(runs, 1);
  scheduler_.Advance(kInterval - absl::Seconds(1));
  EXPECT_EQ(runs, 1);
  scheduler_.Advance(absl::Seconds(1) + 3 * kInterval);
  EXPECT_EQ(runs, 5);
}

TEST_F(PeriodicTaskTest, WaitsForTheEndOfARunThatIsHeld) {
  int runs = 0;
  std::optional<PeriodicTask::Run> held;
  PeriodicTask task(&scheduler_, kInterval, [&](PeriodicTask::Run run) {
    ++runs;
    held.emplace(std::move(run));
  });
  task.Start();
  scheduler_.Advance(5 * kInterval);
  EXPECT_EQ(runs, 1);
  held.reset();
  scheduler_.Advance(kInterval);
  EXPECT_EQ(runs, 2);
  task.Stop();
  held.reset();
}

TEST_F(PeriodicTaskTest, BeginsNoRunAfterStop) {
  int runs = 0;
  PeriodicTask task(&scheduler_, kInterval, [&](PeriodicTask::Run) { ++runs; });
  task.Start();
  task.Stop();
  scheduler_.Advance(3 * kInterval);
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(scheduler_.NextDelay(), absl::InfiniteDuration());
}

TEST_F(PeriodicTaskTest, CanBeStoppedByItsOwnRun) {
  int runs = 0;
  std::unique_ptr<PeriodicTask> task;
  task = std::make_unique<PeriodicTask>(&scheduler_, kInterval, [&](PeriodicTask::Run) {
    ++runs;
    task->Stop();
  });
  task->Start();
  scheduler_.Advance(3 * kInterval);
  EXPECT_EQ(runs, 1);
}

TEST_F(PeriodicTaskTest, IsDestroyedOnlyAfterTheRunUnderWay) {
  std::optional<PeriodicTask::Run> held;
  auto task = std::make_unique<PeriodicTask>(
      &scheduler_, kInterval, [&](PeriodicTask::Run run) { held.emplace(std::move(run)); });
  task->Start();
  std::atomic<bool> ended = false;
  std::thread ends([&] {
    ended = true;
    held.reset();
  });
  task.reset();
  EXPECT_TRUE(ended);
  ends.join();
}

// Destroyed at any moment of its runs, with a scheduler that has a thread of its own.
TEST(PeriodicTask, EndsWhileItRuns) {
  for (int round = 0; round < 200; ++round) {
    ThreadScheduler scheduler;
    std::atomic<int> runs = 0;
    std::atomic<bool> gone = false;
    auto task =
        std::make_unique<PeriodicTask>(&scheduler, absl::Microseconds(1), [&](PeriodicTask::Run) {
          EXPECT_FALSE(gone);
          ++runs;
        });
    task->Start();
    while (runs < round % 5) std::this_thread::yield();
    task.reset();
    gone = true;
  }
}

}  // namespace
}  // namespace ipp
