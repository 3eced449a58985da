#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "client/ippctl/app.h"
#include "server/base/library_versions.h"

namespace {

// Whether standard output is a pipe without a reader.
bool ReaderGone() {
  pollfd out = {.fd = STDOUT_FILENO, .events = 0, .revents = 0};
  return poll(&out, 1, 0) == 1 && (out.revents & (POLLERR | POLLHUP)) != 0;
}

// Columns of the terminal that it is; 0: it is none.
int TerminalWidth(int fd) {
  if (isatty(fd) == 0) return 0;
  winsize size = {};
  return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

bool WantsColor(int fd) {
  const char* none = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return isatty(fd) != 0 && (none == nullptr || *none == '\0') &&
         (terminal == nullptr || std::string(terminal) != "dumb");
}

}  // namespace

int main(int argc, char** argv) {
  // A failed write is an error here and must not end the process, which still has output and state
  // to save; sockets of libraries may break too.
  signal(SIGPIPE, SIG_IGN);

  // The library's own lines say nothing that an error of ours does not say in plainer words.
  if (std::getenv("GRPC_VERBOSITY") == nullptr) ipp::DropGrpcLog();

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
  const ipp::ippctl::Environment environment = {.in = std::cin,
                                                .out = std::cout,
                                                .err = std::cerr,
                                                .getenv = getenv,
                                                .interrupt = &interrupt,
                                                .reader_gone = ReaderGone,
                                                .look = {.zone = absl::LocalTimeZone(),
                                                         .color = WantsColor(STDOUT_FILENO),
                                                         .width = TerminalWidth(STDOUT_FILENO)},
                                                .err_color = WantsColor(STDERR_FILENO),
                                                .err_width = TerminalWidth(STDERR_FILENO)};
  return ipp::ippctl::RunIppctl(std::vector<std::string>(argv + 1, argv + argc), environment);
}
