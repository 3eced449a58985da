#include <csignal>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "simulator/dialects.h"
#include "simulator/flags.h"
#include "simulator/simulator.h"

namespace {

constexpr int kStartFailed = 1;
constexpr int kBadUsage = 2;

int Fail(int code, const std::string& error) {
  std::fprintf(stderr, "ipp-simulator: %s\n", error.c_str());
  return code;
}

// Returns true if there is no file to write.
bool WritePort(const std::string& file, uint16_t port, std::string* error) {
  if (file.empty() || (std::ofstream(file) << port << "\n" << std::flush)) return true;
  *error = "cannot write " + file;
  return false;
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
  if (flags.list_dialects) {
    std::fputs(ipp::simulator::DialectsHelp().c_str(), stdout);
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
  if (!WritePort(flags.control_port_file, simulator->control_port(), &error) ||
      !WritePort(flags.tls_port_file, simulator->tls_port(), &error) ||
      !WritePort(flags.port_file, simulator->port(), &error)) {
    return Fail(kStartFailed, error);
  }
  std::printf("listening on %s:%u\n", flags.options.address.c_str(),
              static_cast<unsigned>(simulator->port()));
  if (flags.options.control_port) {
    std::printf("control on %s:%u\n", flags.options.control_address.c_str(),
                static_cast<unsigned>(simulator->control_port()));
  }
  if (flags.options.tls_port) {
    std::printf("TLS on %s:%u\n", flags.options.tls_address.c_str(),
                static_cast<unsigned>(simulator->tls_port()));
  }
  std::fflush(stdout);

  int received = 0;
  sigwait(&stop_signals, &received);
  return 0;
}
