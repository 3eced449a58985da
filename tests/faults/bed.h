#pragma once

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tests/faults/clock_steps.h"
#include "tests/faults/database.h"
#include "tests/faults/gateway_process.h"
#include "tests/faults/options.h"
#include "tests/faults/simulator_process.h"
#include "tests/faults/work_directory.h"

namespace ipp::faults {

// The real binaries, for all rounds of a run. The main thread only.
class Bed {
 public:
  static absl::StatusOr<std::unique_ptr<Bed>> Start(const RunOptions& options);

  WorkDirectory& directory() { return directory_; }
  SimulatorProcess& simulator() { return *simulator_; }
  std::vector<std::unique_ptr<GatewayProcess>>& gateways() { return gateways_; }
  std::vector<std::string> grpc_addresses() const;

  // Whatever the run is to kill: a gateway by chance, the database.
  absl::Status Kill(std::mt19937_64* random);
  // The same, but in order.
  absl::Status Drain(std::mt19937_64* random);
  // Back again, on the same store; how long it took until every gateway was ready. A gateway is now
  // and then killed once more while it starts.
  absl::StatusOr<absl::Duration> Revive(std::mt19937_64* random);
  // Every process is there.
  absl::Status Check();
  // Puts the gateways' clocks right until the end of the returned holder's life; nothing where they
  // do not step.
  std::unique_ptr<HeldClocks> HoldClocks();
  // nullptr: they do not step.
  ClockSteps* clocks() { return clocks_.get(); }

 private:
  explicit Bed(const RunOptions& options) : options_(options) {}

  const RunOptions options_;
  WorkDirectory directory_;
  std::unique_ptr<SimulatorProcess> simulator_;
  std::unique_ptr<Database> database_;  // nullptr: SQLite
  std::vector<std::unique_ptr<GatewayProcess>> gateways_;
  GatewayProcess* killed_ = nullptr;    // a gateway; nullptr: the database
  std::unique_ptr<ClockSteps> clocks_;  // nullptr: gateways see the machine's
};

}  // namespace ipp::faults
