#pragma once

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kustom/ipp/v1/session_event.pb.h"

namespace ipp::bench {

// One channel is one connection, shared by no other.
inline std::vector<std::unique_ptr<grpc::GenericStub>> Connect(const std::string& target,
                                                               int connections) {
  std::vector<std::unique_ptr<grpc::GenericStub>> stubs;
  for (int i = 0; i < connections; ++i) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    stubs.push_back(std::make_unique<grpc::GenericStub>(
        grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments)));
  }
  return stubs;
}

inline constexpr char kSubscribe[] = "/kustom.ipp.v1.SessionEventService/SubscribeSessionEvents";

// A request to subscribe, as bytes. Heartbeats are put off: they would be counted as events.
inline grpc::ByteBuffer SubscribeRequest(kustom::ipp::v1::StartPosition position) {
  kustom::ipp::v1::SubscribeSessionEventsRequest request;
  request.set_position(position);
  request.mutable_heartbeat_interval()->set_seconds(300);
  const grpc::Slice slice(request.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

// What becomes of the streams of one program. Thread-safe.
class Audience {
 public:
  virtual ~Audience() = default;
  // Message 0 is the one that says that the stream has started.
  virtual void Got(int64_t number, const grpc::ByteBuffer& message) = 0;
  virtual void Ended(const grpc::Status& status) = 0;
};

// A stream of events as bytes: a client that parsed would take CPU away from the server. Lives
// until the process ends.
class RawSubscriber final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  RawSubscriber(Audience* audience, grpc::GenericStub* stub, const std::string& token,
                const grpc::ByteBuffer* request)
      : audience_(audience) {
    context_.AddMetadata("authorization", "Bearer " + token);
    stub->PrepareBidiStreamingCall(&context_, kSubscribe, {}, this);
    StartWriteLast(request, grpc::WriteOptions());
    StartRead(&message_);
    StartCall();
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) return;
    audience_->Got(number_++, message_);
    StartRead(&message_);
  }
  void OnDone(const grpc::Status& status) override { audience_->Ended(status); }

  Audience* const audience_;
  grpc::ClientContext context_;
  grpc::ByteBuffer message_;
  int64_t number_ = 0;
};

}  // namespace ipp::bench
