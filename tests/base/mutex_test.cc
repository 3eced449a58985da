#include "server/base/mutex.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

#include "server/base/clock.h"

namespace ipp {
namespace {

struct Shared {
  Mutex mutex;
  CondVar changed;
  int value ABSL_GUARDED_BY(mutex) = 0;
};

TEST(Mutex, LetsOneInAtATime) {
  Shared shared;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&shared] {
      for (int i = 0; i < 1000; ++i) {
        MutexLock lock(&shared.mutex);
        ++shared.value;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  MutexLock lock(&shared.mutex);
  EXPECT_EQ(shared.value, 4000);
}

TEST(CondVar, WakesWhoWaits) {
  Shared shared;
  std::thread other([&shared] {
    MutexLock lock(&shared.mutex);
    while (shared.value != 1) shared.changed.Wait(&shared.mutex);
    shared.value = 2;
    shared.changed.SignalAll();
  });
  {
    MutexLock lock(&shared.mutex);
    shared.value = 1;
    shared.changed.SignalAll();
    while (shared.value != 2) shared.changed.WaitFor(&shared.mutex, std::chrono::hours(1));
    EXPECT_EQ(shared.value, 2);
  }
  other.join();
}

TEST(CondVar, SaysWhenTheTimePassed) {
  Shared shared;
  MutexLock lock(&shared.mutex);
  // Ends, since a wait may wake without cause but not for ever.
  while (shared.changed.WaitFor(&shared.mutex, std::chrono::milliseconds(1))) {
  }
  ++shared.value;
}

TEST(Clock, RealOneIsOneForAll) { EXPECT_EQ(Clock::Real(), Clock::Real()); }

}  // namespace
}  // namespace ipp
