#include "server/base/pending_call.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace ipp {
namespace {

struct Call {
  void Cancel() { cancelled = true; }
  std::atomic<bool> cancelled{false};
};
using Pending = PendingCall<Call>;

TEST(PendingCall, CancelsTheCallThatIsUnderWay) {
  Pending pending;
  const auto call = std::make_shared<Call>();
  pending.Start([&] { return call; });
  EXPECT_FALSE(call->cancelled);
  pending.Cancel();
  EXPECT_TRUE(call->cancelled);
  EXPECT_TRUE(pending.cancelled());
}

TEST(PendingCall, CancelsWhatBeginsAfterwards) {
  Pending pending;
  pending.Cancel();
  const auto call = std::make_shared<Call>();
  pending.Start([&] { return call; });
  EXPECT_TRUE(call->cancelled);
}

TEST(PendingCall, CancelsACallThatBecameUnwantedWhileItBegan) {
  Pending pending;
  const auto call = std::make_shared<Call>();
  pending.Start([&] {
    pending.Cancel();
    return call;
  });
  EXPECT_TRUE(call->cancelled);
}

// The first call completes inside its start, and its completion begins the second: the second
// handle arrives first, and must not be replaced by the first.
TEST(PendingCall, KeepsTheLaterCallWhicheverHandleComesLast) {
  Pending pending;
  const auto first = std::make_shared<Call>(), second = std::make_shared<Call>();
  pending.Start([&] {
    pending.Start([&] { return second; });
    return first;
  });
  pending.Cancel();
  EXPECT_TRUE(second->cancelled);
}

TEST(PendingCall, LetsGoOfACallOnceAnotherHasBegun) {
  Pending pending;
  auto first = std::make_shared<Call>();
  const std::weak_ptr<Call> gone = first;
  pending.Start([&] { return std::move(first); });
  pending.Start([] { return std::make_shared<Call>(); });
  EXPECT_TRUE(gone.expired());
}

TEST(PendingCall, NeverLeavesACallUncancelledWhateverTheOrder) {
  for (int round = 0; round < 300; ++round) {
    Pending pending;
    const auto first = std::make_shared<Call>(), second = std::make_shared<Call>();
    std::thread completion;
    std::thread canceller([&] { pending.Cancel(); });
    pending.Start([&] {
      completion = std::thread([&] { pending.Start([&] { return second; }); });
      return first;
    });
    completion.join();
    canceller.join();
    EXPECT_TRUE(second->cancelled);
  }
}

}  // namespace
}  // namespace ipp
