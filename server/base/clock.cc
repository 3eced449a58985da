#include "server/base/clock.h"

#include <chrono>

#include "absl/time/time.h"

namespace ipp {
namespace {

class RealClock final : public Clock {
 public:
  // Not absl::Now(): Abseil derives the time from the CPU's counter and reads the host's clock only
  // every second or two. For that long after a step it would disagree with every other reader of
  // the clock, for example with gRPC, whose deadlines would then be off by the step.
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
