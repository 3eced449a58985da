#include "server/store/postgres/wait.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

namespace ipp::store {
namespace {

using std::chrono::steady_clock;

// Rounded up: a caller that wakes a little too early would spin.
int Milliseconds(std::chrono::nanoseconds time) {
  const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(time).count();
  return static_cast<int>(std::clamp<int64_t>(rounded, 0, 3'600'000));
}

}  // namespace

StopSignal::StopSignal() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
StopSignal::~StopSignal() { close(fd_); }

void StopSignal::Stop() {
  const uint64_t one = 1;
  (void)!write(fd_, &one, sizeof(one));
}

bool StopSignal::stopped() const { return !Sleep(std::chrono::nanoseconds::zero()); }

bool StopSignal::Sleep(std::chrono::nanoseconds time) const {
  const auto end = steady_clock::now() + time;
  pollfd stop{fd_, POLLIN, 0};
  while (true) {
    const int ready = poll(&stop, 1, Milliseconds(end - steady_clock::now()));
    if (ready > 0) return false;
    if (steady_clock::now() >= end) return true;
  }
}

Deadline::Deadline(std::chrono::nanoseconds limit, std::chrono::nanoseconds grace,
                   const StopSignal* stop)
    : end_(steady_clock::now() + limit), grace_(grace), stop_(stop) {}

absl::Status Deadline::Wait(int socket, short events) {
  while (true) {
    pollfd fds[] = {{socket, events, 0}, {stop_->fd(), POLLIN, 0}};
    const auto left = end_ - steady_clock::now();
    const int ready = poll(fds, stopping_ ? 1 : 2, Milliseconds(left));
    if (ready < 0 && errno != EINTR) return absl::UnavailableError("poll failed");
    if (ready > 0 && fds[0].revents != 0) return absl::OkStatus();
    if (ready > 0 && fds[1].revents != 0) {
      stopping_ = true;
      end_ = std::min(end_, steady_clock::now() + grace_);
    }
    if (steady_clock::now() < end_) continue;
    return stopping_ ? absl::CancelledError("the store is being closed")
                     : absl::DeadlineExceededError("the database does not answer");
  }
}

}  // namespace ipp::store
