#include "tests/faults/bed.h"

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "tests/faults/plan.h"

namespace ipp::faults {

absl::StatusOr<std::unique_ptr<Bed>> Bed::Start(const RunOptions& options) {
  auto bed = std::unique_ptr<Bed>(new Bed(options));
  IPP_ASSIGN_OR_RETURN(bed->simulator_,
                       SimulatorProcess::Start(options.simulator_program(), bed->directory_));
  std::string store = absl::StrCat("{sqlite: {path: ", bed->directory_.File("gateway.db"), "}}");
  if (options.store == "postgres") {
    IPP_ASSIGN_OR_RETURN(bed->database_,
                         Database::Start(options.kill == "failover", bed->directory_));
    store = bed->database_->yaml();
  }
  std::vector<std::string> clock_files;
  for (int i = 0; i < options.gateways; ++i) {
    GatewayProcess::Options gateway{.program = options.gateway_program(),
                                    .name = std::string(1, static_cast<char>('a' + i)),
                                    .store = store};
    if (options.clock != ClockTrouble::kNone) {
      gateway.clock_file = bed->directory_.File(absl::StrCat("clock-", gateway.name));
      clock_files.push_back(gateway.clock_file);
    }
    bed->gateways_.push_back(
        std::make_unique<GatewayProcess>(gateway, *bed->simulator_, bed->directory_));
  }
  if (!clock_files.empty()) {
    bed->clocks_ = std::make_unique<ClockSteps>(clock_files, options.seed);
  }
  const auto held = bed->HoldClocks();
  for (const auto& gateway : bed->gateways_) IPP_RETURN_IF_ERROR(gateway->Start());
  return bed;
}

std::vector<std::string> Bed::grpc_addresses() const {
  std::vector<std::string> addresses;
  for (const auto& gateway : gateways_) addresses.push_back(gateway->grpc_address());
  return addresses;
}

std::unique_ptr<HeldClocks> Bed::HoldClocks() { return HeldClocks::If(clocks_.get()); }

absl::Status Bed::Kill(std::mt19937_64* random) {
  if (options_.kill != "gateway") return database_->Kill();
  killed_ = gateways_[Draw(random, gateways_.size())].get();
  killed_->Kill();
  return absl::OkStatus();
}

absl::Status Bed::Drain(std::mt19937_64* random) {
  if (options_.kill != "gateway") return database_->Stop();
  killed_ = gateways_[Draw(random, gateways_.size())].get();
  return killed_->Drain();
}

absl::StatusOr<absl::Duration> Bed::Revive(std::mt19937_64* random) {
  const auto held = options_.clock == ClockTrouble::kRestarts ? nullptr : HoldClocks();
  if (killed_ != nullptr && Draw(random, 4) == 0) {
    const auto life = absl::Milliseconds(static_cast<int64_t>(Draw(random, 120)));
    IPP_RETURN_IF_ERROR(killed_->StartInVain(life));
  }
  const absl::Time begin = absl::Now();
  IPP_RETURN_IF_ERROR(killed_ != nullptr ? killed_->Start() : database_->Revive());
  for (const auto& gateway : gateways_) IPP_RETURN_IF_ERROR(gateway->WaitUntilReady());
  return absl::Now() - begin;
}

absl::Status Bed::Check() {
  if (!simulator_->Running()) return absl::InternalError("the simulator is gone");
  for (const auto& gateway : gateways_) {
    if (!gateway->Running()) {
      return absl::InternalError(
          absl::StrCat("a gateway is gone; its log ends with:\n", LastLines(gateway->log(), 20)));
    }
  }
  return absl::OkStatus();
}

}  // namespace ipp::faults
