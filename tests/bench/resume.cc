#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "tests/bench/flags.h"
#include "tests/bench/process_clock.h"
#include "tests/bench/raw_subscriber.h"

// Subscribers that read the whole log from its oldest event on, each over a connection of its own.
// One thread and one completion queue for all of them, nothing parsed: the server shall be what is
// measured.
namespace ipp::bench {
namespace {

using std::chrono::steady_clock;

class Reading {
 public:
  Reading(grpc::GenericStub* stub, grpc::CompletionQueue* queue, const std::string& token,
          const grpc::ByteBuffer& request, int64_t events)
      : request_(request), left_(events + 1) {
    context_.AddMetadata("authorization", "Bearer " + token);
    call_ = stub->PrepareCall(&context_, kSubscribe, queue);
    call_->StartCall(this);
  }

  // What was asked for last has happened. False once it has read all.
  bool Proceed(bool ok) {
    switch (step_) {
      case kStart:
        if (!ok) Die("a stream could not be opened");
        step_ = kRequest;
        call_->WriteLast(request_, grpc::WriteOptions(), this);
        return true;
      case kRequest:
        if (!ok) Die("a request could not be sent");
        step_ = kRead;
        call_->Read(&message_, this);
        return true;
      case kRead:
        if (!ok) Fail();
        bytes_ = message_.Length();
        if (--left_ == 0) return false;
        call_->Read(&message_, this);
        return true;
    }
    return false;
  }

  size_t bytes() const { return bytes_; }

 private:
  enum Step { kStart, kRequest, kRead };

  void Fail() { Die("a stream ended with " + std::to_string(left_) + " events to come"); }

  const grpc::ByteBuffer request_;
  int64_t left_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  grpc::ByteBuffer message_;
  Step step_ = kStart;
  size_t bytes_ = 0;
};

}  // namespace

int RunResume(const Flags& flags) {
  const int subscribers = flags.Number("subscribers");
  const int64_t events = flags.Number("events");
  const pid_t server = flags.Number("server-pid");
  const grpc::ByteBuffer request = SubscribeRequest(kustom::ipp::v1::START_POSITION_FROM_OLDEST);
  const auto stubs = Connect(flags.Text("target"), subscribers);
  grpc::CompletionQueue queue;
  const double cpu = ProcessCpuUs(server);
  const auto begin = steady_clock::now();
  std::vector<std::unique_ptr<Reading>> readings;
  for (const auto& stub : stubs) {
    readings.push_back(
        std::make_unique<Reading>(stub.get(), &queue, flags.Text("token"), request, events));
  }
  int reading = subscribers;
  void* tag = nullptr;
  bool ok = false;
  while (reading > 0 && queue.Next(&tag, &ok)) {
    if (!static_cast<Reading*>(tag)->Proceed(ok)) --reading;
  }
  const double seconds = std::chrono::duration<double>(steady_clock::now() - begin).count();
  const auto all = static_cast<double>(events * subscribers);
  std::printf("per_second=%.0f cpu_us=%.3f client_cpu_us=%.3f message_bytes=%zu\n", all / seconds,
              (ProcessCpuUs(server) - cpu) / all, ProcessCpuUs(getpid()) / all,
              readings[0]->bytes());
  std::fflush(stdout);
  std::_Exit(0);  // the streams are still open
}

}  // namespace ipp::bench
