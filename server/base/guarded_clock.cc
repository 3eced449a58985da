#include "server/base/guarded_clock.h"

#include "server/base/log.h"

namespace ipp {
namespace {

constexpr absl::Duration kInterrupted = absl::Milliseconds(10);
constexpr int kReadings = 5;

int64_t OffsetOf(absl::Time wall, absl::Duration monotonic) {
  return absl::ToUnixNanos(wall) - absl::ToInt64Nanoseconds(monotonic);
}

}  // namespace

GuardedClock::GuardedClock(Clock* machine, Metrics* metrics)
    : machine_(machine),
      plausible_(metrics->gauge("ipp_clock_plausible", "1; 0 while the wall clock may be wrong.")),
      jump_(metrics->gauge("ipp_clock_jump_seconds",
                           "How far the host's wall clock is ahead of the gateway's time, after "
                           "a jump; 0 when there was none.")),
      jumps_(metrics->counter("ipp_clock_jumps_total", "Jumps of the host's wall clock.")) {
  const Reading reading = Read();
  offset_.store(OffsetOf(reading.wall, reading.monotonic));
  plausible_.Set(1);
}

GuardedClock::Reading GuardedClock::Read() {
  Reading reading;
  for (int i = 0; i < kReadings; ++i) {
    reading.monotonic = machine_->Monotonic();
    reading.wall = machine_->Now();
    if (machine_->Monotonic() - reading.monotonic < kInterrupted) break;
  }
  return reading;
}

absl::Time GuardedClock::Now() {
  const Reading reading = Read();
  const int64_t offset = OffsetOf(reading.wall, reading.monotonic);
  const absl::Duration drift =
      absl::Nanoseconds(offset) - absl::Nanoseconds(offset_.load(std::memory_order_relaxed));
  if (drift > kTolerance || drift < -kTolerance) return NowAfterJump(reading);
  if (jumped_.load(std::memory_order_relaxed)) Agree();
  offset_.store(offset, std::memory_order_relaxed);
  return reading.wall;
}

bool GuardedClock::plausible() {
  Now();
  const bool is = Plausible();
  plausible_.Set(is ? 1 : 0);
  return is;
}

bool GuardedClock::Plausible() const {
  return !jumped_.load() &&
         absl::ToInt64Nanoseconds(machine_->Monotonic()) >= probation_until_.load();
}

void GuardedClock::Agree() {
  MutexLock lock(&mutex_);
  if (!jumped_.load()) return;
  jumped_.store(false);
  off_by_ = absl::ZeroDuration();
  LogInfo("the wall clock agrees with the monotonic one again");
  Show();
}

absl::Time GuardedClock::NowAfterJump(const Reading& reading) {
  MutexLock lock(&mutex_);
  const absl::Time ours =
      absl::FromUnixNanos(offset_.load() + absl::ToInt64Nanoseconds(reading.monotonic));
  const absl::Duration off = reading.wall - ours;
  if (absl::AbsDuration(off) <= kTolerance) return ours;  // another thread has settled it
  if (!jumped_.load() || absl::AbsDuration(off - off_by_) > kTolerance) {
    jumped_.store(true);
    jumps_.Add();
    off_by_ = off;
    off_since_ = reading.monotonic;
    LogError("the wall clock has jumped; it is ignored for now, and nothing is removed",
             {{"by", absl::FormatDuration(off)}});
    Show();
  } else if (reading.monotonic - off_since_ >= kAdopt) {
    offset_.store(OffsetOf(reading.wall, reading.monotonic));
    probation_until_.store(absl::ToInt64Nanoseconds(reading.monotonic + kProbation));
    jumped_.store(false);
    off_by_ = absl::ZeroDuration();
    LogWarning("the wall clock's new time is adopted; nothing is removed for some time",
               {{"by", absl::FormatDuration(off)}, {"while", absl::FormatDuration(kProbation)}});
    Show();
    return reading.wall;
  }
  return ours;
}

void GuardedClock::Show() {
  jump_.Set(absl::ToDoubleSeconds(off_by_));
  plausible_.Set(Plausible() ? 1 : 0);
}

}  // namespace ipp
