#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "kustom/ipp/v1/session_event.grpc.pb.h"
#include "tests/bench/flags.h"

// The floor under the event streams: a server that writes one ready-made message to every stream
// for each line on stdin. No log, no filter, no cursor, no heartbeat.
namespace ipp::bench {
namespace {

namespace v1 = kustom::ipp::v1;

class Stream final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  // `message` outlives every stream. The first one goes out at once, as the gateway's does.
  explicit Stream(const grpc::ByteBuffer* message) : message_(message) { Publish(); }

  void Publish() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      ++owed_;
      if (writing_ || gone_) return;
      writing_ = true;
    }
    StartWrite(message_);
  }

  bool gone() {
    std::lock_guard<std::mutex> lock(mutex_);
    return gone_;
  }

 private:
  void OnWriteDone(bool ok) override {
    bool finish = false;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      --owed_;
      finish = !ok || gone_;
      gone_ = finish;
      writing_ = !finish && owed_ > 0;
      if (!finish && !writing_) return;
    }
    finish ? Finish(grpc::Status::CANCELLED) : StartWrite(message_);
  }
  void OnCancel() override {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (std::exchange(gone_, true) || writing_) return;
    }
    Finish(grpc::Status::CANCELLED);
  }
  // Kept by the list below until the process ends: a benchmark's streams are counted.
  void OnDone() override {}

  const grpc::ByteBuffer* const message_;
  std::mutex mutex_;
  int owed_ = 0;
  bool writing_ = false;
  bool gone_ = false;
};

class Broadcast final
    : public v1::SessionEventService::WithRawCallbackMethod_SubscribeSessionEvents<
          v1::SessionEventService::CallbackService> {
 public:
  explicit Broadcast(size_t bytes) {
    const grpc::Slice slice(std::string(bytes, 'x'));
    message_ = grpc::ByteBuffer(&slice, 1);
  }

  void Publish() {
    std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& stream : streams_) {
      if (!stream->gone()) stream->Publish();
    }
  }

 private:
  grpc::ServerWriteReactor<grpc::ByteBuffer>* SubscribeSessionEvents(
      grpc::CallbackServerContext*, const grpc::ByteBuffer*) override {
    std::lock_guard<std::mutex> lock(mutex_);
    streams_.push_back(std::make_unique<Stream>(&message_));
    return streams_.back().get();
  }

  grpc::ByteBuffer message_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Stream>> streams_;
};

}  // namespace

int RunBroadcast(const Flags& flags) {
  Broadcast broadcast(static_cast<size_t>(flags.Number("bytes")));
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&broadcast);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) Die("cannot listen");
  std::printf("listening %d\n", port);
  std::fflush(stdout);
  for (int c = std::getchar(); c != EOF; c = std::getchar()) {
    if (c == '\n') broadcast.Publish();
  }
  std::_Exit(0);  // the streams are still open
}

}  // namespace ipp::bench
