#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/auth/caller_table.h"
#include "server/events/cursor.h"
#include "server/rpc/rpc_server.h"
#include "tests/store/store_contract.h"
#include "tests/support/altered_store.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_store.h"
#include "tests/support/gateway_streams.h"

// The edge over a store in memory, on a real port, with a clock that a test moves: no upstream.
namespace ipp::rpc::fixtures {

namespace v1 = kustom::ipp::v1;

constexpr char kFromNow[] = "position: START_POSITION_FROM_NOW";
constexpr char kFromOldest[] = "position: START_POSITION_FROM_OLDEST";

// A subscription that is read by a thread of its own, all the time.
class Collected {
 public:
  using Message = EventFeed::Message;

  Collected(const std::shared_ptr<grpc::Channel>& channel, const std::string& request,
            const CallOptions& options = {})
      : feed_(channel, request, options), reader_([this] { Read(); }) {}
  ~Collected() {
    feed_.Cancel();
    if (reader_.joinable()) reader_.join();
  }

  const v1::SubscriptionStarted& started() const { return feed_.started(); }
  // All after `started`.
  std::vector<Message> messages() const {
    MutexLock lock(&mutex_);
    return messages_;
  }
  size_t count() const {
    MutexLock lock(&mutex_);
    return messages_.size();
  }
  bool ended() const {
    MutexLock lock(&mutex_);
    return ended_;
  }
  void Cancel() { feed_.Cancel(); }
  // Waits for the end.
  RpcEnd End() {
    if (reader_.joinable()) reader_.join();
    return feed_.End();
  }

 private:
  void Read() {
    while (std::optional<Message> message = feed_.Next()) {
      MutexLock lock(&mutex_);
      messages_.push_back(*std::move(message));
    }
    MutexLock lock(&mutex_);
    ended_ = true;
  }

  EventFeed feed_;
  mutable Mutex mutex_;
  std::vector<Message> messages_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread reader_;
};

inline const std::string& CursorOf(const EventFeed::Message& message) {
  if (message.has_event()) return message.event().cursor();
  if (message.has_goodbye()) return message.goodbye().cursor();
  return message.heartbeat().cursor();
}

class StreamBed : public testing::Test {
 protected:
  // Long after any test: what a test wants to come, it says.
  StreamBed() {
    options_.heartbeat_interval = absl::Seconds(10);
    options_.max_write_stall = absl::InfiniteDuration();
    options_.max_stream_age = absl::InfiniteDuration();
  }
  ~StreamBed() override {
    channel_.reset();
    server_.reset();
  }

  void Open() {
    routes_ = *routes::RouteTable::CompileContract();
    callers_ = *auth::CallerTable::Create(caller_entries_, {"PM1", "PM2"}, routes_->Permissions());
    hub_ = std::make_unique<events::EventHub>(&replica_, hub_options_, &metrics_);
    Backends backends{.routes = routes_.get(),
                      .upstream = nullptr,
                      .devices = nullptr,
                      .recorder = nullptr,
                      .observer = nullptr,
                      .reconciler = nullptr,
                      .ledger = nullptr,
                      .create_waits = nullptr,
                      .store = &replica_,
                      .hub = hub_.get(),
                      .shared = nullptr,
                      .callers = callers_.get(),
                      .clock = &clock_,
                      .scheduler = &scheduler_,
                      .metrics = &metrics_,
                      .options = options_};
    Extend(&backends);
    server_ = *RpcServer::Start({}, backends);
    channel_ = NewChannel();
  }
  // What a suite needs beside that.
  virtual void Extend(Backends* /*backends*/) {}
  std::shared_ptr<grpc::Channel> NewChannel(grpc::ChannelArguments arguments = {}) {
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", server_->port()),
                                     grpc::InsecureChannelCredentials(), arguments);
  }

  // Events of the session, each with `bytes` of its merchant's data.
  void Append(int count, const std::string& session = "s1", size_t bytes = 0,
              const std::string& merchant = "PM1") {
    store::Transaction transaction;
    transaction.decide = [=](const store::Snapshot&) {
      store::Writes writes;
      for (int i = 0; i < count; ++i) {
        v1::SessionEvent& event = writes.events.emplace_back().event;
        event.set_type(v1::SESSION_EVENT_TYPE_ACTIVATED);
        event.set_merchant_id(merchant);
        event.set_session_id(session);
        if (bytes > 0) event.mutable_session()->set_merchant_data(std::string(bytes, 'x'));
      }
      return writes;
    };
    ASSERT_TRUE(store::contract::Commit(store_, std::move(transaction)).ok());
  }

  std::string Cursor(int64_t position) { return events::EncodeCursor(store_.log_id(), {position}); }
  std::string After(int64_t position) { return "after_cursor: '" + Cursor(position) + "'"; }
  int64_t PositionOf(const std::string& cursor) {
    const auto position = events::ParseCursor(cursor, store_.log_id(), "cursor");
    EXPECT_TRUE(position.ok()) << position.status();
    return position.ok() ? position->position : -1;
  }
  // Of the next `count` events.
  std::vector<int64_t> Positions(EventFeed& feed, int count) {
    std::vector<int64_t> positions;
    while (count-- > 0) positions.push_back(PositionOf(feed.NextEvent().cursor()));
    return positions;
  }
  std::vector<int64_t> Range(int64_t first, int64_t last) {
    std::vector<int64_t> range;
    for (int64_t i = first; i <= last; ++i) range.push_back(i);
    return range;
  }

  // Moves the time on, in steps that no stall or age is as short as, until it is so.
  void AdvanceUntil(const std::function<bool()>& so, absl::Duration step = absl::Seconds(1)) {
    WaitUntil([&] {
      scheduler_.Advance(step);
      return so();
    });
  }
  // No time passes.
  static void WaitUntil(const std::function<bool()>& so) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!so()) {
      ASSERT_LT(std::chrono::steady_clock::now(), end) << "what was waited for does not come";
      std::this_thread::yield();
    }
  }
  double Counted(const std::string& name) { return metrics_.counter(name, "").value(); }
  double Subscribers() { return metrics_.gauge("ipp_events_subscribers", "").value(); }
  double Sent() {
    return metrics_
        .counter("grpc_server_msg_sent_total", "",
                 {{"grpc_type", "server_stream"},
                  {"grpc_service", "kustom.ipp.v1.SessionEventService"},
                  {"grpc_method", "SubscribeSessionEvents"}})
        .value();
  }

  FakeClock clock_;
  FakeScheduler scheduler_{&clock_};
  Metrics metrics_;
  store::FakeStore store_{&clock_};
  store::AlteredStore replica_{&store_};  // as the gateway sees it
  RpcOptions options_;
  events::HubOptions hub_options_{.tail_events = 8, .page_events = 5, .clock = &clock_};
  std::vector<auth::CallerEntry> caller_entries_;
  std::unique_ptr<routes::RouteTable> routes_;
  std::unique_ptr<auth::CallerTable> callers_;
  std::unique_ptr<events::EventHub> hub_;
  std::unique_ptr<RpcServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace ipp::rpc::fixtures
