#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "kustom/ipp/v1/session_event.grpc.pb.h"
#include "tests/bench/flags.h"

// The floor under a resumption: a server that writes one ready-made message to each stream, again
// and again, as fast as gRPC takes it. No log, no filter, no cursor.
namespace ipp::bench {
namespace {

namespace v1 = kustom::ipp::v1;

class Stream final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  // With `hint` gRPC may keep messages back until there are 64 KiB of them, but for the last.
  Stream(const grpc::ByteBuffer* message, int messages, bool hint)
      : message_(message), left_(messages), hint_(hint) {
    Next();
  }

 private:
  void Next() {
    --left_;
    grpc::WriteOptions options;
    // Not on the first: it takes the initial metadata along, and gRPC calls it written only when
    // that has gone out, which the hint puts off for ever.
    if (hint_ && left_ > 0 && !std::exchange(first_, false)) options.set_buffer_hint();
    StartWrite(message_, options);
  }
  void OnWriteDone(bool ok) override {
    if (ok && left_ > 0) return Next();
    Finish(grpc::Status::OK);
  }
  void OnDone() override { delete this; }

  const grpc::ByteBuffer* const message_;
  int left_;
  const bool hint_;
  bool first_ = true;
};

class Flood final : public v1::SessionEventService::WithRawCallbackMethod_SubscribeSessionEvents<
                        v1::SessionEventService::CallbackService> {
 public:
  explicit Flood(const Flags& flags)
      : messages_(flags.Number("events") + 1), hint_(flags.Number("hint") != 0) {
    const grpc::Slice slice(std::string(static_cast<size_t>(flags.Number("bytes")), 'x'));
    message_ = grpc::ByteBuffer(&slice, 1);
  }

 private:
  grpc::ServerWriteReactor<grpc::ByteBuffer>* SubscribeSessionEvents(
      grpc::CallbackServerContext*, const grpc::ByteBuffer*) override {
    return new Stream(&message_, messages_, hint_);
  }

  grpc::ByteBuffer message_;
  const int messages_;
  const bool hint_;
};

}  // namespace

int RunFlood(const Flags& flags) {
  Flood flood(flags);
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&flood);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) Die("cannot listen");
  std::printf("listening %d\n", port);
  std::fflush(stdout);
  server->Wait();
  return 0;
}

}  // namespace ipp::bench
