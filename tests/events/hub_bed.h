#pragma once

#include <chrono>
#include <future>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "server/base/metrics.h"
#include "server/events/event_hub.h"
#include "tests/store/store_contract.h"
#include "tests/support/altered_store.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_store.h"

// What the suites over the hub stand on.
namespace ipp::events::fixtures {

namespace v1 = kustom::ipp::v1;

// One transaction that appends `count` events of the merchant.
inline store::Transaction Appending(int count, const std::string& merchant = "PM1") {
  store::Transaction transaction;
  transaction.decide = [count, merchant](const store::Snapshot&) {
    store::Writes writes;
    for (int i = 0; i < count; ++i) {
      store::NewEvent& event = writes.events.emplace_back();
      event.event.set_event_id("kevt_x");
      event.event.set_type(v1::SESSION_EVENT_TYPE_ACTIVATED);
      event.event.set_merchant_id(merchant);
      event.event.set_session_id("s1");
    }
    return writes;
  };
  return transaction;
}

inline void Append(store::Store& store, int count, const std::string& merchant = "PM1") {
  ASSERT_TRUE(store::contract::Commit(store, Appending(count, merchant)).ok());
}

inline EventFilter Everything(const std::string& merchant = "PM1") {
  return *EventFilter::Create({}, {merchant});
}

// A wish whose answer can be waited for.
class Wish {
 public:
  // Asks for the next event. The event when it was at hand.
  EventPtr Ask(Subscription& subscription) {
    auto promise = std::make_shared<std::promise<absl::StatusOr<EventPtr>>>();
    answer_ = promise->get_future();
    held_ = promise;
    return subscription.Next([promise = std::move(promise)](absl::StatusOr<EventPtr> event) {
      promise->set_value(std::move(event));
    });
  }
  absl::StatusOr<EventPtr> Wait() { return answer_.get(); }
  // The callback is no longer held.
  bool dropped() const { return held_.expired(); }
  bool answered() const {
    return answer_.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }

 private:
  std::future<absl::StatusOr<EventPtr>> answer_;
  std::weak_ptr<std::promise<absl::StatusOr<EventPtr>>> held_;
};

inline absl::StatusOr<EventPtr> NextOf(Subscription& subscription) {
  Wish wish;
  if (EventPtr event = wish.Ask(subscription)) return event;
  return wish.Wait();
}

// The positions of the next `count` events.
inline std::vector<int64_t> Follow(Subscription& subscription, int64_t count) {
  std::vector<int64_t> positions;
  for (int64_t i = 0; i < count; ++i) {
    const absl::StatusOr<EventPtr> event = NextOf(subscription);
    if (!event.ok()) {
      ADD_FAILURE() << event.status();
      break;
    }
    positions.push_back((*event)->row.position);
  }
  return positions;
}

// first, first + step … up to last.
inline std::vector<int64_t> Range(int64_t first, int64_t last, int64_t step = 1) {
  std::vector<int64_t> range;
  for (int64_t i = first; i <= last; i += step) range.push_back(i);
  return range;
}

// Appends an event and waits until the hub has handed it out: then its tail ends with it.
inline void AppendAndCatchUp(EventHub& hub, store::Store& store) {
  auto subscription = hub.Subscribe(Everything(), store.bounds().latest);
  Wish wish;
  ASSERT_EQ(wish.Ask(*subscription), nullptr);
  Append(store, 1);
  ASSERT_TRUE(wish.Wait().ok());
}

// Over a store in memory that waits, lags, fails and lies as the test says.
class HubBed : public testing::Test {
 protected:
  void Open(HubOptions options = {.tail_events = 8, .page_events = 5}) {
    hub_ = std::make_unique<EventHub>(&replica_, options, &metrics_);
  }
  double Subscribers() { return metrics_.gauge("ipp_events_subscribers", "").value(); }
  double Counted(const std::string& what) {
    return metrics_.counter("ipp_events_" + what + "_total", "").value();
  }
  // What must be 0 is.
  void ExpectNothingWrong() {
    EXPECT_EQ(Counted("gaps"), 0);
    EXPECT_EQ(Counted("duplicates"), 0);
    EXPECT_EQ(Counted("order_violations"), 0);
  }
  // No read works, until ReadsWork().
  void ReadsFail() {
    store_.FailReads(absl::UnavailableError("disk"), std::numeric_limits<int>::max());
  }
  void ReadsWork() { store_.FailReads(absl::OkStatus(), 0); }
  // Everything that the store was asked for before has been answered.
  void Settle() { (void)store::contract::Read(store_, 0, 1); }

  FakeClock clock_;
  Metrics metrics_;
  store::FakeStore store_{&clock_};
  store::AlteredStore replica_{&store_};  // as the hub sees it
  std::unique_ptr<EventHub> hub_;
};

}  // namespace ipp::events::fixtures
