#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/client_callback.h>

#include <utility>

#include "client/clock_and_random.h"
#include "server/base/mutex.h"

namespace ipp::client {

// The lock and the signal by which gRPC's threads and Cancel() wake the one thread that waits.
struct Wake {
  Mutex mutex;
  CondVar changed;
};

// One server-streaming call, read one message at a time by one thread. gRPC's threads only signal;
// at most one message is buffered here.
template <typename Response>
class StreamCall final : public grpc::ClientReadReactor<Response> {
 public:
  explicit StreamCall(Wake* wake) : wake_(*wake) {}
  // Cancels the call and waits for its end; messages that still arrive are dropped.
  ~StreamCall() override {
    if (!started_) return;
    context_.TryCancel();
    while (!AwaitEnd()) ReadNext();
  }

  grpc::ClientContext& context() { return context_; }
  // `bind` passes this reactor to a stub's async method.
  template <typename Bind>
  void Start(Bind bind) {
    bind(&context_, this);
    started_ = true;
    this->AddHold();  // Reads start outside reactions: the call could end in between.
    this->StartRead(&message_);
    this->StartCall();
  }

  // Call them under Wake's mutex, which the thread-safety analysis does not recognise here.
  bool HasMessage() const ABSL_NO_THREAD_SAFETY_ANALYSIS { return ready_; }
  bool HasEnded() const ABSL_NO_THREAD_SAFETY_ANALYSIS { return ended_; }

  // Valid after HasMessage, until ReadNext.
  const Response& message() const { return message_; }
  void ReadNext() {
    {
      MutexLock lock(&wake_.mutex);
      ready_ = false;
    }
    this->StartRead(&message_);
  }
  // Valid after HasEnded.
  const grpc::Status& status() const { return status_; }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) {
      this->RemoveHold();  // The last read; OnDone follows.
      return;
    }
    MutexLock lock(&wake_.mutex);
    ready_ = true;
    wake_.changed.SignalAll();
  }

  void OnDone(const grpc::Status& status) override {
    status_ = status;
    // Once `ended_` is seen the call may be destroyed; the lock is not a member of it.
    MutexLock lock(&wake_.mutex);
    ended_ = true;
    wake_.changed.SignalAll();
  }

  // False: a message must be read first.
  bool AwaitEnd() {
    MutexLock lock(&wake_.mutex);
    while (!ended_ && !ready_) wake_.changed.Wait(&wake_.mutex);
    return ended_;
  }

  Wake& wake_;
  grpc::ClientContext context_;
  bool started_ = false;
  Response message_;
  grpc::Status status_;
  bool ready_ ABSL_GUARDED_BY(wake_.mutex) = false;
  bool ended_ ABSL_GUARDED_BY(wake_.mutex) = false;
};

}  // namespace ipp::client
