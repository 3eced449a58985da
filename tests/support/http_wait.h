#pragma once

#include <memory>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "server/base/mutex.h"
#include "server/http/http_transport.h"

namespace ipp::http {

// A completion to wait for. May be copied; copies are the same one.
class Completion {
 public:
  HttpTransport::Done done() {
    return [state = state_](HttpResult result) {
      MutexLock lock(&state->mutex);
      ++state->runs;
      state->thread = std::this_thread::get_id();
      state->result = std::move(result);
      state->changed.SignalAll();
    };
  }
  HttpResult Wait() {
    MutexLock lock(&state_->mutex);
    while (state_->runs == 0) state_->changed.Wait(&state_->mutex);
    return state_->result;
  }
  int runs() const {
    MutexLock lock(&state_->mutex);
    return state_->runs;
  }
  std::thread::id thread() const {
    MutexLock lock(&state_->mutex);
    return state_->thread;
  }

 private:
  struct State {
    Mutex mutex;
    CondVar changed;
    int runs ABSL_GUARDED_BY(mutex) = 0;
    std::thread::id thread ABSL_GUARDED_BY(mutex);
    HttpResult result ABSL_GUARDED_BY(mutex);
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

// Sends and waits.
inline HttpResult Call(HttpTransport& transport, HttpRequest request) {
  Completion completion;
  transport.Send(std::move(request), completion.done());
  return completion.Wait();
}

}  // namespace ipp::http
