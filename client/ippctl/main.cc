#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "client/ippctl/app.h"

namespace {

// Whether standard output is a pipe without a reader.
bool ReaderGone() {
  pollfd out = {.fd = STDOUT_FILENO, .events = 0, .revents = 0};
  return poll(&out, 1, 0) == 1 && (out.revents & (POLLERR | POLLHUP)) != 0;
}

}  // namespace

int main(int argc, char** argv) {
  // A failed write is an error here and must not end the process, which still has output and state
  // to save; sockets of libraries may break too.
  signal(SIGPIPE, SIG_IGN);

  // Blocked before gRPC starts its threads, which inherit it: one thread of ours waits for them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  static ipp::ippctl::Interrupt
      interrupt;  // outlives the thread below, which ends with the process
  std::thread([signals] {
    while (true) {
      int signal = 0;
      if (sigwait(&signals, &signal) != 0) continue;
      const bool again = interrupt.triggered();
      if (!interrupt.Trigger() || again) _exit(128 + signal);
    }
  }).detach();

  const auto getenv = [](const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return std::string(value == nullptr ? "" : value);
  };
  return ipp::ippctl::RunIppctl(std::vector<std::string>(argv + 1, argv + argc),
                                {std::cin, std::cout, std::cerr, getenv, &interrupt, ReaderGone});
}
