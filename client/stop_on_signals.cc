#include "ippclient/stop_on_signals.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace ipp::client {
namespace {

// A byte for each signal; kEnd ends the thread. A pipe, since a signal may come on any thread, and
// write(2) is what its handler may call there.
std::array<int, 2> ends = {-1, -1};
std::array<struct sigaction, 2> before;
constexpr std::array<int, 2> kSignals = {SIGTERM, SIGINT};
constexpr char kSignal = 's';
constexpr char kEnd = 'e';

// The pipe never fills: it does not block, and a signal that is not written follows many others.
void Say(char what) {
  const int error = errno;
  [[maybe_unused]] const ssize_t wrote = write(ends[1], &what, 1);
  errno = error;
}

void Listen(const std::function<void()>& stop) {
  char what = kEnd;
  while (true) {
    const ssize_t got = read(ends[0], &what, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || what == kEnd) return;
    stop();
  }
}

}  // namespace

StopOnSignals::StopOnSignals(std::function<void()> stop) {
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return;  // the signals do what they did before
  fcntl(ends[1], F_SETFL, O_NONBLOCK);
  thread_ = std::thread([stop = std::move(stop)] { Listen(stop); });
  struct sigaction action = {};
  action.sa_handler = [](int) { Say(kSignal); };
  action.sa_flags = SA_RESTART;
  for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &action, &before[i]);
}

StopOnSignals::~StopOnSignals() {
  if (!thread_.joinable()) return;
  for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &before[i], nullptr);
  Say(kEnd);
  thread_.join();
  for (int& end : ends) close(std::exchange(end, -1));
}

}  // namespace ipp::client
