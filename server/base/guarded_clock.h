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
// machine's clock by days, and set it right again a moment later; what was removed, swept or put
// off in between would stay so. So the machine's wall clock is compared with its monotonic one each
// time that somebody asks:
//
// * They agree to kTolerance: Now() is the wall clock. Slow corrections are followed.
// * They do not: Now() goes on by the monotonic clock, plausible() is false, and the metrics and
//   one log line say so. When they agree again, all is as before.
// * They disagree by the same amount for kAdopt: the wall clock was set right, or wrong for good.
//   Now() takes it over, and plausible() stays false for kProbation more, in which an operator can
//   act on the alarm.
//
// What was wrong already when the process began cannot be seen here: the stores compare with what
// they last saw (store/retention.h), PostgreSQL's also with the database's own clock.
//
// A machine that was suspended looks like one whose clock was set ahead, since CLOCK_MONOTONIC
// stands still meanwhile.
//
// Metrics: ipp_clock_plausible (1 or 0), ipp_clock_jump_seconds (by how much the wall clock is off
// what Now() says), ipp_clock_jumps_total. Thread-safe; without a lock while the clocks agree.
// Borrows what it is given.
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
  // Both clocks at one moment: again when the thread was interrupted in between.
  Reading Read();
  // As far as is known from the last Now().
  bool Plausible() const;
  absl::Time NowAfterJump(const Reading& reading) ABSL_LOCKS_EXCLUDED(mutex_);
  void Agree() ABSL_LOCKS_EXCLUDED(mutex_);
  void Show() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Clock* const machine_;
  Gauge& plausible_;
  Gauge& jump_;
  Counter& jumps_;
  // Wall minus monotonic, in nanoseconds, as Now() takes it to be.
  std::atomic<int64_t> offset_;
  std::atomic<bool> jumped_{false};
  // Monotonic nanoseconds until which a time that was taken over is on probation.
  std::atomic<int64_t> probation_until_{0};

  Mutex mutex_;
  absl::Duration off_by_ ABSL_GUARDED_BY(mutex_);     // the jump that is looked at
  absl::Duration off_since_ ABSL_GUARDED_BY(mutex_);  // monotonic
};

}  // namespace ipp
