#include "server/events/stream_registry.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "server/base/clock.h"
#include "server/base/metrics.h"
#include "server/base/scheduler.h"

namespace ipp::events {
namespace {

// Has always just taken the task that is to be cancelled.
class LateScheduler final : public Scheduler {
 public:
  ~LateScheduler() override {
    if (thread_.joinable()) thread_.join();
  }
  TaskId RunAfter(absl::Duration, absl::AnyInvocable<void() &&> task) override {
    task_ = std::move(task);
    return 1;
  }
  bool Cancel(TaskId) override {
    thread_ = std::thread(std::move(task_));
    return false;
  }

 private:
  absl::AnyInvocable<void() &&> task_;
  std::thread thread_;
};

// Asked for the time by each tick.
class WatchedClock final : public Clock {
 public:
  absl::Time Now() override { return absl::UnixEpoch(); }
  absl::Duration Monotonic() override {
    asked = true;
    return absl::Hours(1);
  }
  bool asked = false;
};

TEST(StreamRegistry, OutlivesATickThatIsAboutToRun) {
  Metrics metrics;
  WatchedClock clock;
  LateScheduler scheduler;
  auto registry =
      std::make_unique<StreamRegistry>(StreamRegistry::Limits{1, 1}, &clock, &scheduler, &metrics);
  registry.reset();
  EXPECT_TRUE(clock.asked);
}

}  // namespace
}  // namespace ipp::events
