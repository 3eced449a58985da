#pragma once

#include <atomic>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/metrics.h"
#include "server/base/mutex.h"

namespace ipp {

// A wall clock that does not follow a jump at once. An operator or a time service may set the
// host's clock wrong by days and correct it a moment later; what was removed, swept or postponed in
// between would stay so. Each call to Now() or plausible() therefore compares the host's wall clock
// with its monotonic clock:
//
//  * They agree to within kTolerance: Now() is the wall clock. Slow corrections are followed.
//  * They disagree: Now() advances with the monotonic clock, plausible() is false, and the metrics
//    and one log line report it. If they agree again, the gateway continues as before.
//  * They disagree by the same amount for kAdopt: either the wall clock was corrected, or it is
//    wrong permanently. Now() adopts it, and plausible() stays false for another kProbation, so
//    that an operator has time to act on the alarm.
//
// An error that was there when the process started cannot be detected here. The stores compare the
// time with what they last saw (store/retention.h); PostgreSQL's also with the database's clock.
//
// A host that was suspended looks like one whose clock was set ahead, since CLOCK_MONOTONIC does
// not advance during a suspend.
//
// Metrics: ipp_clock_plausible (1 or 0), ipp_clock_jump_seconds (difference between the wall clock
// and Now()), ipp_clock_jumps_total. Thread-safe; takes no lock while the clocks agree. Borrows its
// constructor's arguments.
class GuardedClock final : public Clock {
 public:
  static constexpr absl::Duration kTolerance = absl::Seconds(5);
  static constexpr absl::Duration kAdopt = absl::Minutes(10);
  static constexpr absl::Duration kProbation = absl::Hours(1);

  GuardedClock(Clock* machine, Metrics* metrics);

  absl::Time Now() override;
  absl::Duration Monotonic() override { return machine_->Monotonic(); }
  absl::Time Wall() override { return machine_->Now(); }
  bool plausible() override;

 private:
  struct Reading {
    absl::Time wall;
    absl::Duration monotonic;
  };
  // Both clocks at one moment. Reads again if the thread was interrupted between the two.
  Reading Read();
  // As of the last Now().
  bool Plausible() const;
  absl::Time NowAfterJump(const Reading& reading) ABSL_LOCKS_EXCLUDED(mutex_);
  void Agree() ABSL_LOCKS_EXCLUDED(mutex_);
  void Show() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Clock* const machine_;
  Gauge& plausible_;
  Gauge& jump_;
  Counter& jumps_;
  // The offset that Now() uses: wall minus monotonic, in nanoseconds.
  std::atomic<int64_t> offset_;
  std::atomic<bool> jumped_{false};
  // Monotonic nanoseconds until which an adopted time is on probation.
  std::atomic<int64_t> probation_until_{0};

  Mutex mutex_;
  absl::Duration off_by_ ABSL_GUARDED_BY(mutex_);     // the jump under observation
  absl::Duration off_since_ ABSL_GUARDED_BY(mutex_);  // monotonic
};

}  // namespace ipp
