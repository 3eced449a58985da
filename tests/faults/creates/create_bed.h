#pragma once

#include <array>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/faults/clock_steps.h"
#include "tests/faults/creates/caller.h"
#include "tests/faults/creates/upstream_truth.h"
#include "tests/faults/gateway_process.h"
#include "tests/faults/simulator_process.h"
#include "tests/faults/work_directory.h"
#include "tests/support/postgres_server.h"

namespace ipp::faults {

struct CreateBedOptions {
  std::string gateway_program;
  std::string simulator_program;
  bool http1 = true;
  bool http2 = true;
  std::string transport = "libcurl";  // of the gateway that speaks HTTP/2
  bool postgres = false;
  bool shared = false;       // the two gateways are replicas on one database
  std::string dialect = "";  // empty: plain words
  ClockTrouble clock = ClockTrouble::kNone;
  uint64_t clock_seed = 1;
};

// One simulator, and two gateways that talk to it: one over HTTP/1.1, one over HTTP/2 and TLS. The
// simulator's rules are for all that talk to it, so one round at a time. One thread, which must
// outlive the bed.
class CreateBed {
 public:
  static absl::StatusOr<std::unique_ptr<CreateBed>> Start(const CreateBedOptions& options);

  UpstreamTruth& upstream() { return *upstream_; }
  // `http2` says which one.
  GatewayProcess& gateway(bool http2) { return *sides_[http2].process; }
  Caller& caller(bool http2) { return *sides_[http2].caller; }
  // A port of the simulator for that gateway.
  int upstream_port(bool http2) const;
  const std::string& device_id() const { return simulator_->merchants().front().device_id; }
  bool shared() const { return options_.shared; }
  // A gateway that starts on the store knows that it is alone.
  bool exclusive() const { return !options_.postgres; }

  // Webhooks go to that gateway alone; to both where they are replicas.
  absl::Status SendWebhooksTo(bool http2);
  // After a kill, until it is ready.
  absl::Status Restart(bool http2);
  // Every process is there.
  absl::Status Check();
  // nullptr: the gateways' clocks do not step.
  ClockSteps* clocks() { return clocks_.get(); }
  const CreateBedOptions& options() const { return options_; }

  // What became of the creates of earlier rounds, as the gateway (by http2) gave it.
  using Remembered = std::vector<std::pair<bool, kustom::ipp::v1::CreateOutcome>>;
  Remembered& remembered() { return remembered_; }
  // request_ids of earlier rounds.
  std::set<std::string>& used_ids() { return used_ids_; }
  WorkDirectory& directory() { return directory_; }

 private:
  struct Side {
    std::unique_ptr<GatewayProcess> process;  // nullptr: not wanted
    std::unique_ptr<Caller> caller;
  };

  explicit CreateBed(const CreateBedOptions& options) : options_(options) {}
  absl::StatusOr<std::string> StoreOf(bool http2);
  std::string ClockOf(bool http2) const;
  absl::Status StartSide(bool http2);
  void Call(bool http2);

  const CreateBedOptions options_;
  WorkDirectory directory_;
  std::unique_ptr<PostgresServer> database_;
  std::string shared_store_;
  std::unique_ptr<SimulatorProcess> simulator_;
  std::unique_ptr<UpstreamTruth> upstream_;
  std::array<Side, 2> sides_;  // by http2
  std::unique_ptr<ClockSteps> clocks_;
  Remembered remembered_;
  std::set<std::string> used_ids_;
  std::string receivers_;
};

}  // namespace ipp::faults
