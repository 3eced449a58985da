#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/faults/child_process.h"
#include "tests/faults/reserved_port.h"
#include "tests/faults/simulator_process.h"
#include "tests/faults/work_directory.h"

namespace ipp::faults {

// ipp-gateway on ports that stay its own, to be started, killed and started again with the same
// configuration on the same store. The main thread only, except for the addresses.
class GatewayProcess {
 public:
  struct Options {
    std::string program;  // its path
    std::string name;     // of its files: "a"
    std::string store;    // YAML: {sqlite: {path: …}}
    bool tls = false;     // upstream: HTTP/2, where the simulator listens for it
    std::string transport = "libcurl";
    // YAML. The second bounds how long a create goes on without a waiting caller.
    std::string upstream_timeout = "10s";
    std::string drain_timeout = "5s";
    // How long a create that cannot leave is tried; the sooner one whose gateway died is found.
    std::string send_for = "30s";
    // How long creates are held after a restore.
    std::string settle = "10m";
    // The file of its wall clock (see ClockSteps); empty: it sees the machine's.
    std::string clock_file = "";
  };

  // Writes the configuration; does not start it.
  GatewayProcess(Options options, const SimulatorProcess& simulator,
                 const WorkDirectory& directory);

  std::string grpc_address() const;
  std::string webhook_url() const;
  int admin_port() const { return admin_.number(); }

  // Returns once it is ready. `flag`: one more, as --restored; empty: none.
  absl::Status Start(const std::string& flag = "");
  // Starts it and kills it so soon that it may not have finished starting.
  absl::Status StartInVain(absl::Duration life);
  // Until it answers /readyz with 200. UNAVAILABLE: it does not, or has ended; the log's end is in
  // the message.
  absl::Status WaitUntilReady();
  // Runs the program with this configuration and these flags to its end, beside the one that
  // serves: --backup. An error when it does not exit with 0.
  absl::Status RunTool(const std::vector<std::string>& flags);
  // SIGKILL.
  void Kill();
  // SIGTERM; OK when it ended with 0.
  absl::Status Drain();
  bool Running() { return process_ != nullptr && process_->Running(); }
  pid_t pid() const { return process_ == nullptr ? -1 : process_->pid(); }

  absl::Time started_at() const { return started_at_; }

  // The page for Prometheus.
  absl::StatusOr<std::string> Metrics() const;
  const std::string& log() const { return log_; }

 private:
  absl::Status Launch(const std::string& flag);
  absl::Status Failed(const std::string& what) const;

  const Options options_;
  const ReservedPort grpc_;
  const ReservedPort webhooks_;
  const ReservedPort admin_;
  std::string config_;
  std::string log_;
  std::unique_ptr<ChildProcess> process_;
  absl::Time started_at_;
};

}  // namespace ipp::faults
