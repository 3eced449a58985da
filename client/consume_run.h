#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "client/clock_and_random.h"
#include "client/settler.h"
#include "client/stream_follower.h"
#include "ippclient/consumer.h"
#include "kustom/ipp/v1/shared_subscription.grpc.pb.h"

namespace ipp::client {

// The implementation of Consumer. The thread in Run reads the stream and hands events to a pool of
// handlers; the Settler says what became of them. Cancel on any thread.
class ConsumeRun {
 public:
  ConsumeRun(std::shared_ptr<grpc::Channel> channel, ConsumerOptions options);

  grpc::Status Run(const Consumer::Handler& handler);
  void Cancel();

 private:
  using Message = kustom::ipp::v1::ReceiveSessionEventsResponse;

  // Makes the subscription, with retries. OK also when it was cancelled.
  grpc::Status Make();
  grpc::Status TryToMake();
  // Hands out events until the end; returns what Run shall.
  template <typename Take>
  grpc::Status Receive(Take take);
  void Handle(const Consumer::Handler& handler, const std::shared_ptr<Lease>& lease);
  void Open(grpc::ClientContext* context, grpc::ClientReadReactor<Message>* reactor);
  bool Cancelled();

  ClockAndRandom& clock_;
  const ConsumerOptions options_;
  const kustom::ipp::v1::ReceiveSessionEventsRequest request_;
  const std::unique_ptr<Settler::Stub> stub_;
  Wake wake_;
  bool cancelled_ ABSL_GUARDED_BY(wake_.mutex) = false;
  StreamFollower<Message> stream_;
  Settler settler_;
};

}  // namespace ipp::client
