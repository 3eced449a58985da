#include <csignal>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "simulator/flags.h"
#include "simulator/simulator.h"

namespace {

constexpr int kStartFailed = 1;
constexpr int kBadUsage = 2;

int Fail(int code, const std::string& error) {
  std::fprintf(stderr, "ipp-simulator: %s\n", error.c_str());
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  using ipp::simulator::Simulator;
  ipp::simulator::Flags flags;
  std::string error;
  if (!ParseFlags({argv + 1, argv + argc}, &flags, &error)) return Fail(kBadUsage, error);
  if (flags.help) {
    std::fputs(ipp::simulator::FlagsHelp().c_str(), stdout);
    return 0;
  }
  if (flags.version) {
    std::puts("ipp-simulator " IPP_SIMULATOR_VERSION);
    return 0;
  }
  if (!flags.webhook_secret_file.empty() &&
      !ipp::simulator::ReadSecretFile(flags.webhook_secret_file, &flags.options.webhook_secrets,
                                      &error)) {
    return Fail(kStartFailed, error);
  }

  if (!flags.faults_file.empty() &&
      !ipp::simulator::ReadFaultsFile(flags.faults_file, &flags.options.faults, &error)) {
    return Fail(kStartFailed, error);
  }

  // Blocked before there is a second thread, so that only sigwait below takes them.
  sigset_t stop_signals;
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGINT);
  sigaddset(&stop_signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);

  const auto simulator = Simulator::Start(flags.options, &error);
  if (simulator == nullptr) return Fail(kStartFailed, error);
  if (!flags.port_file.empty() && !(std::ofstream(flags.port_file) << simulator->port() << "\n"
                                                                   << std::flush)) {
    return Fail(kStartFailed, "cannot write " + flags.port_file);
  }
  std::printf("listening on %s:%u\n", flags.options.address.c_str(),
              static_cast<unsigned>(simulator->port()));
  std::fflush(stdout);

  int received = 0;
  sigwait(&stop_signals, &received);
  return 0;
}
