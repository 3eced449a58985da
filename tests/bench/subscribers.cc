#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tests/bench/flags.h"
#include "tests/bench/process_clock.h"
#include "tests/bench/raw_subscriber.h"

// Many subscribers to the events, each with a connection of its own as if it were a process of its
// own; counts what comes and the server's CPU meanwhile.
namespace ipp::bench {
namespace {

constexpr std::chrono::seconds kPatience{100};

class Crowd final : public Audience {
 public:
  explicit Crowd(const Flags& flags)
      : server_(flags.Number("server-pid")),
        subscribers_(flags.Number("subscribers")),
        warm_up_(int64_t{subscribers_} * flags.Number("warm-up")),
        all_(warm_up_ + int64_t{subscribers_} * flags.Number("events")) {}

  void Got(int64_t number, const grpc::ByteBuffer& message) override {
    if (number > 0) return Count(message.Length());
    if (started_.fetch_add(1) + 1 < subscribers_) return;
    std::puts("ready");
    std::fflush(stdout);
  }

  void Ended(const grpc::Status& status) override {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!over_) error_ = "a stream ended: " + status.error_message();
    over_ = true;
    changed_.notify_one();
  }

  void WaitAndPrint() {
    std::unique_lock<std::mutex> lock(mutex_);
    if (!changed_.wait_for(lock, kPatience, [this] { return over_; })) {
      Die("only " + std::to_string(got_) + " of " + std::to_string(all_) + " messages came");
    }
    if (!error_.empty()) Die(error_);
    std::printf("cpu_us=%.3f message_bytes=%zu\n",
                (cpu_end_us_ - cpu_begin_us_) / static_cast<double>(all_ - warm_up_), bytes_);
    std::fflush(stdout);
  }

 private:
  void Count(size_t bytes) {
    const int64_t number = got_.fetch_add(1) + 1;
    if (number == warm_up_) cpu_begin_us_ = ProcessCpuUs(server_);
    if (number < all_) return;
    cpu_end_us_ = ProcessCpuUs(server_);
    std::lock_guard<std::mutex> lock(mutex_);
    bytes_ = bytes;
    over_ = true;
    changed_.notify_one();
  }

  const pid_t server_;
  const int subscribers_;
  const int64_t warm_up_;
  const int64_t all_;
  std::atomic<int> started_{0};
  std::atomic<int64_t> got_{0};
  std::atomic<double> cpu_begin_us_{0};
  std::atomic<double> cpu_end_us_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t bytes_ = 0;
  bool over_ = false;
  std::string error_;
};

// Counts rounds: how long after the first stream the last one has the n-th event.
class Hall final : public Audience {
 public:
  explicit Hall(const Flags& flags)
      : subscribers_(flags.Number("subscribers")), rounds_(kMostRounds) {}

  void Got(int64_t number, const grpc::ByteBuffer&) override {
    if (number >= kMostRounds) return;
    if (rounds_[static_cast<size_t>(number)].fetch_add(1) + 1 < subscribers_) return;
    // CLOCK_MONOTONIC, which is the same in every process.
    std::printf(
        "all event=%lld at_ns=%lld\n", static_cast<long long>(number),
        static_cast<long long>(std::chrono::steady_clock::now().time_since_epoch().count()));
    std::fflush(stdout);
  }

  void Ended(const grpc::Status& status) override {
    if (!ended_.exchange(true)) {
      std::printf("a stream ended: %d %s\n", status.error_code(), status.error_message().c_str());
      std::fflush(stdout);
    }
  }

 private:
  static constexpr int64_t kMostRounds = 1000;
  const int subscribers_;
  std::vector<std::atomic<int>> rounds_;
  std::atomic<bool> ended_{false};
};

std::vector<std::unique_ptr<RawSubscriber>> Open(
    Audience* audience, const std::vector<std::unique_ptr<grpc::GenericStub>>& stubs,
    const Flags& flags, const grpc::ByteBuffer* request) {
  std::vector<std::unique_ptr<RawSubscriber>> subscribers;
  for (int i = 0; i < flags.Number("subscribers"); ++i) {
    subscribers.push_back(std::make_unique<RawSubscriber>(
        audience, stubs[static_cast<size_t>(i) % stubs.size()].get(), flags.Text("token"),
        request));
  }
  return subscribers;
}

}  // namespace

int RunSubscribers(const Flags& flags) {
  const grpc::ByteBuffer request = SubscribeRequest(kustom::ipp::v1::START_POSITION_FROM_NOW);
  Crowd crowd(flags);
  const auto stubs = Connect(flags.Text("target"), flags.Number("subscribers"));
  const auto subscribers = Open(&crowd, stubs, flags, &request);
  crowd.WaitAndPrint();
  std::_Exit(0);  // the streams are still open
}

int RunHold(const Flags& flags) {
  const grpc::ByteBuffer request = SubscribeRequest(kustom::ipp::v1::START_POSITION_FROM_NOW);
  Hall hall(flags);
  const auto stubs = Connect(flags.Text("target"), flags.Number("connections"));
  const auto subscribers = Open(&hall, stubs, flags, &request);
  while (std::getchar() != EOF) {
  }
  std::_Exit(0);
}

}  // namespace ipp::bench
