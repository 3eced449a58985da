#include <algorithm>
#include <memory>
#include <thread>
#include <vector>

#include "tests/events/hub_bed.h"

// Events in memory stay within HubOptions::memory_bytes, and whoever has to wait for it gets all.
namespace ipp::events {
namespace {

using namespace fixtures;  // NOLINT: the words of these tests

constexpr size_t kEventBytes = 64 * 1024;
constexpr int64_t kMiB = 1024 * 1024;

class HubMemory : public HubBed {
 protected:
  void AppendLarge(int count) {
    for (int i = 0; i < count; ++i) {
      store::Transaction transaction = Appending(1);
      transaction.decide = [decide = std::move(transaction.decide)](const store::Snapshot& seen) {
        store::Writes writes = decide(seen);
        writes.events.front().event.mutable_session()->set_merchant_data(
            std::string(kEventBytes, 'x'));
        return writes;
      };
      ASSERT_TRUE(store::contract::Commit(store_, std::move(transaction)).ok());
    }
  }
  int64_t Used() {
    return static_cast<int64_t>(metrics_.gauge("ipp_events_memory_bytes", "").value());
  }
  int Waiting() {
    return static_cast<int>(metrics_.gauge("ipp_events_waiting_for_memory", "").value());
  }
  void AwaitWaiting(int count) {
    while (Waiting() != count) std::this_thread::yield();
  }
};

TEST_F(HubMemory, KeepsFewerNewestEventsWhenTheyAreLarge) {
  Open({.tail_events = 4096, .memory_bytes = 2 * kMiB});
  auto subscription = hub_->Subscribe(Everything(), 0);
  std::thread writer([this] { AppendLarge(100); });
  EXPECT_EQ(Follow(*subscription, 100), Range(1, 100));
  writer.join();
  Wish wish;
  EXPECT_EQ(wish.Ask(*subscription), nullptr);
  // The hub's thread writes the figure after it has handed the last event out.
  while (Used() > kMiB) std::this_thread::yield();
  EXPECT_GT(Used(), kMiB - 2 * static_cast<int64_t>(kEventBytes));
  EXPECT_TRUE(subscription->Withdraw());
  ExpectNothingWrong();
}

// Each of them alone would fill the memory.
TEST_F(HubMemory, ServesAFleetThatComesBackWithinIt) {
  Open({.tail_events = 8, .memory_bytes = 4 * kMiB});
  constexpr int kEvents = 100;
  AppendLarge(kEvents);
  struct Client {
    std::unique_ptr<Subscription> subscription;
    Wish wish;
    bool asked = false;
    std::vector<int64_t> positions;
  };
  std::vector<Client> clients(40);
  for (Client& client : clients) client.subscription = hub_->Subscribe(Everything(), 0);
  int64_t most = 0;
  int most_waiting = 0;
  for (bool done = false; !done;) {
    done = true;
    for (Client& client : clients) {
      if (client.positions.size() == kEvents) continue;
      done = false;
      EventPtr event;
      if (!client.asked) {
        event = client.wish.Ask(*client.subscription);
        client.asked = event == nullptr;
      } else if (client.wish.answered()) {
        event = client.wish.Wait().value();
        client.asked = false;
      }
      if (event != nullptr) client.positions.push_back(event->row.position);
    }
    most = std::max(most, Used());
    most_waiting = std::max(most_waiting, Waiting());
  }
  for (const Client& client : clients) EXPECT_EQ(client.positions, Range(1, kEvents));
  EXPECT_GT(most_waiting, 0);
  // A page is read to the end of the event that fills it.
  EXPECT_LE(most, 4 * kMiB + 4 * static_cast<int64_t>(kEventBytes));
  ExpectNothingWrong();
}

TEST_F(HubMemory, IsNotKeptByThoseWhoLeaveTheirPageUnread) {
  Open({.tail_events = 8, .memory_bytes = 4 * kMiB});
  AppendLarge(40);
  std::vector<std::unique_ptr<Subscription>> idle;
  for (int i = 0; i < 8; ++i) {
    idle.push_back(hub_->Subscribe(Everything(), 0));
    EXPECT_EQ(Follow(*idle.back(), 1), Range(1, 1));  // the rest of the page stays where it is
  }
  auto busy = hub_->Subscribe(Everything(), 0);
  EXPECT_EQ(Follow(*busy, 40), Range(1, 40));
  for (auto& subscription : idle) EXPECT_EQ(Follow(*subscription, 39), Range(2, 40));
  ExpectNothingWrong();
}

TEST_F(HubMemory, AllowsOnePageWhenThereIsMemoryForNone) {
  Open({.tail_events = 1, .page_events = 5, .memory_bytes = 0});
  AppendLarge(30);
  auto one = hub_->Subscribe(Everything(), 0);
  auto other = hub_->Subscribe(Everything(), 0);
  EXPECT_EQ(Follow(*one, 20), Range(1, 20));
  EXPECT_EQ(Follow(*other, 30), Range(1, 30));
  EXPECT_EQ(Follow(*one, 10), Range(21, 30));
}

// A caller that does not read holds messages that nothing can take back.
TEST_F(HubMemory, LetsOthersGetOnWhileMessagesUseItUp) {
  Open({.tail_events = 8, .memory_bytes = 2 * kMiB});
  AppendLarge(50);
  auto slow = hub_->Subscribe(Everything(), 0);
  std::vector<EventPtr> under_way;
  for (int i = 0; i < 40; ++i) under_way.push_back(NextOf(*slow).value());
  auto other = hub_->Subscribe(Everything(), 0);
  EXPECT_EQ(Follow(*other, 50), Range(1, 50));
}

TEST_F(HubMemory, MayBeWaitedForInVain) {
  Open({.tail_events = 1, .page_events = 50, .memory_bytes = 0});
  Append(store_, 29);
  AppendAndCatchUp(*hub_, store_);  // the hub's thread reads no more
  auto first = hub_->Subscribe(Everything(), 0);
  auto withdrawn = hub_->Subscribe(Everything(), 0);
  auto gone = hub_->Subscribe(Everything(), 0);
  auto again = hub_->Subscribe(Everything(), 10);
  replica_.HoldReads();
  Wish of_first, of_withdrawn, of_gone, of_again;
  EXPECT_EQ(of_first.Ask(*first), nullptr);
  EXPECT_EQ(of_withdrawn.Ask(*withdrawn), nullptr);
  EXPECT_EQ(of_gone.Ask(*gone), nullptr);
  EXPECT_EQ(of_again.Ask(*again), nullptr);
  AwaitWaiting(3);
  EXPECT_TRUE(withdrawn->Withdraw());
  EXPECT_TRUE(of_withdrawn.dropped());
  gone.reset();
  EXPECT_TRUE(of_gone.dropped());
  EXPECT_TRUE(again->Withdraw());
  Wish anew;
  EXPECT_EQ(anew.Ask(*again), nullptr);
  replica_.ReleaseReads();
  EXPECT_EQ((*of_first.Wait())->row.position, 1);
  EXPECT_EQ((*anew.Wait())->row.position, 11);
  EXPECT_EQ(Follow(*withdrawn, 30), Range(1, 30));
  EXPECT_EQ(Follow(*first, 29), Range(2, 30));
  EXPECT_EQ(Follow(*again, 19), Range(12, 30));
  ExpectNothingWrong();
}

// The hub ends while somebody who has left still waits.
TEST_F(HubMemory, IsNotWaitedForByWhatHasEnded) {
  Open({.tail_events = 1, .page_events = 5, .memory_bytes = 0});
  Append(store_, 29);
  AppendAndCatchUp(*hub_, store_);  // the hub's thread reads no more
  auto first = hub_->Subscribe(Everything(), 0);
  auto second = hub_->Subscribe(Everything(), 0);
  replica_.HoldReads();
  Wish of_first, of_second;
  EXPECT_EQ(of_first.Ask(*first), nullptr);
  EXPECT_EQ(of_second.Ask(*second), nullptr);
  AwaitWaiting(1);
  first.reset();
  second.reset();
  std::thread ends([this] { hub_.reset(); });
  replica_.ReleaseReads();
  ends.join();
}

}  // namespace
}  // namespace ipp::events
