#include "client/clock_and_random.h"

#include <algorithm>
#include <chrono>

#include "absl/random/random.h"

namespace ipp::client {
namespace {

// Keeps every duration within the range of the system's clocks.
constexpr absl::Duration kLongestWait = absl::Hours(1);

class RealMachine final : public ClockAndRandom {
 public:
  absl::Duration Now() override {
    return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
  }
  void Wait(absl::Duration until, CondVar* changed, Mutex* mutex) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    changed->WaitFor(mutex, absl::ToChronoNanoseconds(std::min(until - Now(), kLongestWait)));
  }
  double Random() override { return absl::Uniform(absl::BitGen(), 0.0, 1.0); }
};

}  // namespace

ClockAndRandom& ClockAndRandom::Real() {
  static RealMachine clock;
  return clock;
}

}  // namespace ipp::client
