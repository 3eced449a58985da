#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "server/base/mutex.h"

namespace ipp::web {

// Posts work to a listener's thread from any other thread. Outlives the listener: work that is
// posted after Close() is dropped. Thread-safe.
class LoopGate {
 public:
  explicit LoopGate(boost::asio::io_context* loop) : loop_(loop) {}

  template <typename Work>
  void Post(Work&& work) {
    MutexLock lock(&mutex_);
    if (loop_ != nullptr) boost::asio::post(*loop_, std::forward<Work>(work));
  }

  void Close() {
    MutexLock lock(&mutex_);
    loop_ = nullptr;
  }

 private:
  Mutex mutex_;
  boost::asio::io_context* loop_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ipp::web
