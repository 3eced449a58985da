#pragma once

#include "absl/time/time.h"
#include "server/base/mutex.h"

namespace ipp::ippctl {

// A wait that another thread may end. Once stopped, it stays so. Thread-safe.
class Pause {
 public:
  // False when stopped, before or meanwhile.
  bool For(absl::Duration duration);
  void Stop();
  bool stopped() const;

 private:
  mutable Mutex mutex_;
  CondVar changed_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

// Pauses between tries: `first`, then twice as long each time, up to `longest`.
class Backoff {
 public:
  Backoff(absl::Duration first, absl::Duration longest) : first_(first), longest_(longest) {}
  absl::Duration Next();
  void Reset() { next_ = absl::ZeroDuration(); }

 private:
  const absl::Duration first_;
  const absl::Duration longest_;
  absl::Duration next_;
};

}  // namespace ipp::ippctl
