#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/base/mutex.h"

namespace ipp::faults {

// What --clock says.
enum class ClockTrouble {
  kNone,
  kSteps,     // the wall clocks of running gateways step away and come back
  kRestarts,  // and gateways also start while theirs is wrong
};

std::string NameOf(ClockTrouble trouble);

// The wall clock that programs under libfaketime (Debian's package "faketime") see. Only
// CLOCK_REALTIME moves: the monotonic clock and the kernel's own timeouts stay right.
//
// Each program follows a file of its own, which holds how far its clock is off. A thread chooses
// one of them now and then, sets it off by minutes to a year, forward or back, and puts it right
// again after one to three seconds: the stores look for what is old once a second. Thread-safe.
class ClockSteps {
 public:
  // `files` need not exist. Begins at once.
  ClockSteps(std::vector<std::string> files, uint64_t seed);
  // All clocks are right afterwards.
  ~ClockSteps();
  ClockSteps(const ClockSteps&) = delete;
  ClockSteps& operator=(const ClockSteps&) = delete;

  // All clocks are right on return and stay so until Release.
  void Hold();
  void Release();

  // Clocks that were off for their whole time.
  int steps() const;
  // Until there were so many.
  void WaitForSteps(int count) const;

 private:
  void Run(uint64_t seed);
  // Until then, or until it is to stop or to hold; false: it is to stop.
  bool Wait(absl::Duration time) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PutRight() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::vector<std::string> files_;
  mutable Mutex mutex_;
  mutable CondVar changed_;
  int holds_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  int steps_ ABSL_GUARDED_BY(mutex_) = 0;
  std::thread thread_;
};

// Holds clocks while it lives.
class HeldClocks {
 public:
  explicit HeldClocks(ClockSteps* clocks) : clocks_(clocks) { clocks_->Hold(); }
  // nullptr for nullptr.
  static std::unique_ptr<HeldClocks> If(ClockSteps* clocks) {
    return clocks == nullptr ? nullptr : std::make_unique<HeldClocks>(clocks);
  }
  ~HeldClocks() { clocks_->Release(); }
  HeldClocks(const HeldClocks&) = delete;
  HeldClocks& operator=(const HeldClocks&) = delete;

 private:
  ClockSteps* const clocks_;
};

// The words to put before a program's own so that it follows `file`. NOT_FOUND: there is no
// libfaketime.
absl::Status PrefixWithClock(const std::string& file, std::vector<std::string>* arguments);

}  // namespace ipp::faults
