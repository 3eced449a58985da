#pragma once

#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "server/base/mutex.h"

namespace ipp::events {

// Waits for the answer of a store. The store answers every call, also while it is being destroyed.
// Taker() is given to the store; Wait() blocks the calling thread.
template <typename T>
class Answer {
 public:
  auto Taker() {
    return [this](absl::StatusOr<T> value) {
      MutexLock lock(&mutex_);
      value_ = std::move(value);
      done_.Signal();
    };
  }
  absl::StatusOr<T> Wait() {
    MutexLock lock(&mutex_);
    while (!value_) done_.Wait(&mutex_);
    return *std::move(value_);
  }

 private:
  Mutex mutex_;
  CondVar done_;
  std::optional<absl::StatusOr<T>> value_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ipp::events
