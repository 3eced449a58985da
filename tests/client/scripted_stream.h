#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <utility>
#include <vector>

#include "server/base/mutex.h"

namespace ipp::client {

// What a stream says and how it ends.
template <typename Response>
struct StreamScript {
  std::vector<Response> messages = {};
  // How it ends after the last message; `silent`: not at all, until the client cancels.
  grpc::Status end = grpc::Status::OK;
  bool silent = false;
};

// How far the streams of a service are.
class StreamProgress {
 public:
  void CountWrite() { Count(&written_); }
  void CountEnd() { Count(&ended_); }
  // Messages whose writes are done.
  int written() const {
    MutexLock lock(&mutex_);
    return written_;
  }
  // Waits until so many streams have ended.
  void AwaitEnds(int count) const {
    MutexLock lock(&mutex_);
    while (ended_ < count) changed_.Wait(&mutex_);
  }
  // Waits until no write was done for a while, since the peer does not read.
  void AwaitStall() const {
    MutexLock lock(&mutex_);
    for (int before = -1; before != written_;) {
      before = written_;
      while (changed_.WaitFor(&mutex_, std::chrono::milliseconds(200))) {
      }
    }
  }

 private:
  void Count(int* what) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    MutexLock lock(&mutex_);
    ++*what;
    changed_.SignalAll();
  }
  mutable Mutex mutex_;
  mutable CondVar changed_;
  int written_ ABSL_GUARDED_BY(mutex_) = 0;
  int ended_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Plays a script to a client.
template <typename Response>
class ScriptedStream final : public grpc::ServerWriteReactor<Response> {
 public:
  ScriptedStream(StreamScript<Response> script, StreamProgress* progress)
      : script_(std::move(script)), progress_(*progress) {
    Next();
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return FinishOnce(grpc::Status::CANCELLED);
    progress_.CountWrite();
    Next();
  }
  void OnCancel() override { FinishOnce(grpc::Status::CANCELLED); }
  void OnDone() override {
    progress_.CountEnd();
    delete this;
  }

 private:
  void Next() {
    if (next_ < script_.messages.size()) {
      this->StartWrite(&script_.messages[next_++]);
    } else if (!script_.silent) {
      FinishOnce(script_.end);
    }
  }
  void FinishOnce(const grpc::Status& status) {
    {
      MutexLock lock(&mutex_);
      if (std::exchange(finished_, true)) return;
    }
    this->Finish(status);
  }

  StreamScript<Response> script_;
  StreamProgress& progress_;
  size_t next_ = 0;
  Mutex mutex_;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

inline grpc::Status Unavailable() { return {grpc::StatusCode::UNAVAILABLE, "gone"}; }

}  // namespace ipp::client
