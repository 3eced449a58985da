#include "client/ippctl/interrupt.h"

#include <utility>

namespace ipp::ippctl {

bool Interrupt::Trigger() {
  MutexLock lock(&mutex_);
  triggered_ = true;
  if (!action_) return false;
  action_();
  return true;
}

bool Interrupt::triggered() const {
  MutexLock lock(&mutex_);
  return triggered_;
}

OnInterrupt::OnInterrupt(Interrupt* interrupt, std::function<void()> action)
    : interrupt_(interrupt) {
  MutexLock lock(&interrupt_->mutex_);
  if (interrupt_->triggered_) action();
  outer_ = std::exchange(interrupt_->action_, std::move(action));
}

OnInterrupt::~OnInterrupt() {
  MutexLock lock(&interrupt_->mutex_);
  interrupt_->action_ = std::move(outer_);
}

}  // namespace ipp::ippctl
