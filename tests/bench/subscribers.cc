#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "kustom/ipp/v1/session_event.pb.h"
#include "tests/bench/flags.h"
#include "tests/bench/process_clock.h"

// Many subscribers to the events, each with a connection of its own as if it were a process of its
// own; counts what comes and the server's CPU meanwhile.
namespace ipp::bench {
namespace {

namespace v1 = kustom::ipp::v1;
constexpr char kMethod[] = "/kustom.ipp.v1.SessionEventService/SubscribeSessionEvents";
constexpr std::chrono::seconds kPatience{100};

class Audience {
 public:
  explicit Audience(const Flags& flags)
      : server_(flags.Number("server-pid")),
        subscribers_(flags.Number("subscribers")),
        warm_up_(int64_t{subscribers_} * flags.Number("warm-up")),
        all_(warm_up_ + int64_t{subscribers_} * flags.Number("events")) {}

  void Started() {
    if (started_.fetch_add(1) + 1 < subscribers_) return;
    std::puts("ready");
    std::fflush(stdout);
  }

  void Got(size_t bytes) {
    const int64_t number = got_.fetch_add(1) + 1;
    if (number == warm_up_) cpu_begin_us_ = ProcessCpuUs(server_);
    if (number < all_) return;
    cpu_end_us_ = ProcessCpuUs(server_);
    bytes_ = bytes;
    std::lock_guard<std::mutex> lock(mutex_);
    over_ = true;
    changed_.notify_one();
  }

  void Fail(const std::string& why) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!over_) error_ = why;
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

class Subscriber final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  Subscriber(Audience* audience, const std::string& target, const std::string& token,
             const grpc::ByteBuffer* request)
      : audience_(audience) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own
    stub_ = std::make_unique<grpc::GenericStub>(
        grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments));
    context_.AddMetadata("authorization", "Bearer " + token);
    stub_->PrepareBidiStreamingCall(&context_, kMethod, {}, this);
    StartWriteLast(request, grpc::WriteOptions());
    StartRead(&message_);
    StartCall();
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) return;
    ++messages_ == 1 ? audience_->Started() : audience_->Got(message_.Length());
    StartRead(&message_);
  }
  void OnDone(const grpc::Status& status) override {
    audience_->Fail("a stream ended: " + status.error_message());
  }

  Audience* const audience_;
  std::unique_ptr<grpc::GenericStub> stub_;
  grpc::ClientContext context_;
  grpc::ByteBuffer message_;
  int messages_ = 0;
};

}  // namespace

int RunSubscribers(const Flags& flags) {
  v1::SubscribeSessionEventsRequest request;
  request.set_position(v1::START_POSITION_FROM_NOW);
  request.mutable_heartbeat_interval()->set_seconds(300);  // not to be counted as events
  const grpc::Slice slice(request.SerializeAsString());
  const grpc::ByteBuffer bytes(&slice, 1);
  Audience audience(flags);
  std::vector<std::unique_ptr<Subscriber>> subscribers;
  for (int i = 0; i < flags.Number("subscribers"); ++i) {
    subscribers.push_back(
        std::make_unique<Subscriber>(&audience, flags.Text("target"), flags.Text("token"), &bytes));
  }
  audience.WaitAndPrint();
  std::_Exit(0);  // the streams are still open
}

}  // namespace ipp::bench
