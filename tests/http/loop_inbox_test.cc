#include "server/http/loop_inbox.h"

#include <poll.h>

#include <atomic>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace ipp::http {
namespace {

using Inbox = LoopInbox<int>;

// Edge-triggered readers never read the eventfd; a test looks once.
bool Woken(const Inbox& inbox) {
  pollfd fd{inbox.wake_fd(), POLLIN, 0};
  return poll(&fd, 1, 0) == 1;
}

TEST(LoopInboxTest, WakesTheLoopOnlyIfItSleeps) {
  Inbox inbox;
  EXPECT_TRUE(inbox.Post(1));
  EXPECT_FALSE(Woken(inbox));
  EXPECT_FALSE(inbox.MaySleep());
  inbox.Resume();
  std::vector<int> batch;
  EXPECT_TRUE(inbox.Take(&batch));
  EXPECT_EQ(batch, std::vector<int>{1});
  EXPECT_TRUE(inbox.MaySleep());
  EXPECT_TRUE(inbox.Post(2));
  EXPECT_TRUE(Woken(inbox));
}

TEST(LoopInboxTest, LendsTheTurnOfALoopThatSleepsToOne) {
  Inbox inbox;
  EXPECT_FALSE(inbox.TakeTurn()) << "the loop is awake";
  ASSERT_TRUE(inbox.MaySleep());
  EXPECT_TRUE(inbox.TakeTurn());
  EXPECT_FALSE(inbox.TakeTurn()) << "another has it";
  inbox.GiveBackTurn(false);
  EXPECT_FALSE(Woken(inbox));
  EXPECT_TRUE(inbox.TakeTurn());
  inbox.GiveBackTurn(true);
  EXPECT_TRUE(Woken(inbox));
  EXPECT_FALSE(inbox.TakeTurn()) << "the loop wakes up";
}

TEST(LoopInboxTest, LendsNoTurnBeforeWhatWaits) {
  Inbox inbox;
  ASSERT_TRUE(inbox.MaySleep());
  EXPECT_TRUE(inbox.Post(1));
  EXPECT_FALSE(inbox.TakeTurn());
}

TEST(LoopInboxTest, LendsNoTurnOnceStopped) {
  Inbox inbox;
  inbox.Stop();
  EXPECT_FALSE(inbox.MaySleep());
  EXPECT_FALSE(inbox.TakeTurn());
  EXPECT_TRUE(inbox.Close());
  EXPECT_FALSE(inbox.Post(1));
}

// `state` belongs to who has the turn; the thread sanitizer sees whether it does.
TEST(LoopInboxTest, OneAtATimeHasTheTurn) {
  Inbox inbox;
  int state = 0;
  std::thread loop([&] {
    std::vector<int> batch;
    while (inbox.Take(&batch)) {
      for (const int item : batch) state += item;
      batch.clear();
      if (inbox.MaySleep()) {
        pollfd fd{inbox.wake_fd(), POLLIN, 0};
        poll(&fd, 1, -1);
      }
      inbox.Resume();
    }
    for (const int item : batch) state += item;
  });
  constexpr int kThreads = 3;
  constexpr int kRounds = 2000;
  std::atomic<int> lent{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        if (inbox.TakeTurn()) {
          ++state;
          ++lent;
          inbox.GiveBackTurn(round % 2 == 0);
        } else {
          EXPECT_TRUE(inbox.Post(1));
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  inbox.Stop();
  loop.join();
  EXPECT_EQ(state, kThreads * kRounds);
}

}  // namespace
}  // namespace ipp::http
