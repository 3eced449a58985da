#include "server/base/clock.h"

#include <chrono>

#include "absl/time/time.h"

namespace ipp {
namespace {

class RealClock final : public Clock {
 public:
  // Not absl::Now(): Abseil reckons from the CPU's counter and looks at the machine's clock every
  // second or two only, so for so long after a step it disagrees with everybody else's reading, for
  // example with gRPC's, in whose deadlines it would then be off by the step.
  absl::Time Now() override { return absl::FromChrono(std::chrono::system_clock::now()); }
  absl::Duration Monotonic() override {
    return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
  }
};

}  // namespace

Clock* Clock::Real() {
  static RealClock clock;
  return &clock;
}

}  // namespace ipp
