#include "client/handler_pool.h"

#include <pthread.h>

#include <utility>

namespace ipp::client {

void HandlerPool::Add(std::shared_ptr<Lease> lease) {
  MutexLock lock(&wake_.mutex);
  waiting_.push_back(std::move(lease));
  wake_.changed.SignalAll();
  if (threads_.size() < most_ && threads_.size() < working_ + waiting_.size()) {
    threads_.emplace_back([this] { Run(); });
  }
}

bool HandlerPool::WaitIdle(absl::Duration limit) {
  const absl::Duration until = clock_.Now() + limit;
  MutexLock lock(&wake_.mutex);
  while ((working_ > 0 || !waiting_.empty()) && clock_.Now() < until) {
    clock_.Wait(until, &wake_.changed, &wake_.mutex);
  }
  return working_ == 0 && waiting_.empty();
}

void HandlerPool::Finish() {
  {
    MutexLock lock(&wake_.mutex);
    finishing_ = true;
    wake_.changed.SignalAll();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void HandlerPool::Run() {
  pthread_setname_np(pthread_self(), "ipp-handler");
  while (true) {
    std::shared_ptr<Lease> lease;
    {
      MutexLock lock(&wake_.mutex);
      while (waiting_.empty() && !finishing_) wake_.changed.Wait(&wake_.mutex);
      if (waiting_.empty()) return;
      lease = std::move(waiting_.front());
      waiting_.pop_front();
      ++working_;
    }
    work_(lease);
    MutexLock lock(&wake_.mutex);
    --working_;
    wake_.changed.SignalAll();
  }
}

}  // namespace ipp::client
