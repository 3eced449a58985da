#include "tests/faults/creates/create_bed.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/status_macros.h"

namespace ipp::faults {

absl::StatusOr<std::unique_ptr<CreateBed>> CreateBed::Start(const CreateBedOptions& options) {
  auto bed = std::unique_ptr<CreateBed>(new CreateBed(options));
  IPP_ASSIGN_OR_RETURN(bed->simulator_, SimulatorProcess::Start(options.simulator_program,
                                                                bed->directory_, options.http2));
  bed->upstream_ = std::make_unique<UpstreamTruth>(*bed->simulator_);
  if (options.postgres) {
    IPP_ASSIGN_OR_RETURN(bed->database_, PostgresServer::Start({}));
  }
  if (!options.dialect.empty()) {
    IPP_RETURN_IF_ERROR(bed->upstream_->SetDialect(options.dialect));
  }
  if (options.clock != ClockTrouble::kNone) {
    std::vector<std::string> files;
    if (options.http1) files.push_back(bed->ClockOf(false));
    if (options.http2) files.push_back(bed->ClockOf(true));
    bed->clocks_ = std::make_unique<ClockSteps>(std::move(files), options.clock_seed);
  }
  const auto held = HeldClocks::If(bed->clocks_.get());
  if (options.http1) IPP_RETURN_IF_ERROR(bed->StartSide(false));
  if (options.http2) IPP_RETURN_IF_ERROR(bed->StartSide(true));
  return bed;
}

absl::StatusOr<std::string> CreateBed::StoreOf(bool http2) {
  const std::string name = http2 ? "h2" : "h1";
  if (!options_.postgres) {
    return absl::StrCat("{sqlite: {path: ", directory_.File(name + ".db"), "}}");
  }
  if (options_.shared && !shared_store_.empty()) return shared_store_;
  const std::string dsn =
      directory_.Write(name + "-dsn", database_->conninfo(database_->CreateDatabase()) + "\n");
  shared_store_ = absl::StrCat("{postgres: {dsn_file: ", dsn, "}}");
  return shared_store_;
}

std::string CreateBed::ClockOf(bool http2) const {
  return directory_.File(http2 ? "clock-h2" : "clock-h1");
}

absl::Status CreateBed::StartSide(bool http2) {
  IPP_ASSIGN_OR_RETURN(std::string store, StoreOf(http2));
  GatewayProcess::Options options{.program = options_.gateway_program,
                                  .name = http2 ? "h2" : "h1",
                                  .store = std::move(store),
                                  .tls = http2};
  if (http2) options.transport = options_.transport;
  // Silence of the upstream is to be sat out many times.
  options.upstream_timeout = "700ms";
  options.drain_timeout = "700ms";
  options.send_for = "3s";
  if (clocks_ != nullptr) options.clock_file = ClockOf(http2);
  sides_[http2].process =
      std::make_unique<GatewayProcess>(std::move(options), *simulator_, directory_);
  IPP_RETURN_IF_ERROR(sides_[http2].process->Start());
  Call(http2);
  return absl::OkStatus();
}

// A channel that has not seen the gateway go, and so does not wait before it connects.
void CreateBed::Call(bool http2) {
  sides_[http2].caller = std::make_unique<Caller>(sides_[http2].process->grpc_address(),
                                                  simulator_->merchants().front().id);
}

int CreateBed::upstream_port(bool http2) const {
  return http2 ? simulator_->tls_port() : simulator_->port();
}

absl::Status CreateBed::SendWebhooksTo(bool http2) {
  std::vector<std::string> urls = {gateway(http2).webhook_url()};
  if (options_.shared) {
    urls = {gateway(false).webhook_url(), gateway(true).webhook_url()};
  }
  std::string joined = absl::StrJoin(urls, " ");
  if (joined == receivers_) return absl::OkStatus();
  receivers_ = std::move(joined);
  return upstream_->SetReceivers(urls);
}

absl::Status CreateBed::Restart(bool http2) {
  const auto held =
      options_.clock == ClockTrouble::kRestarts ? nullptr : HeldClocks::If(clocks_.get());
  IPP_RETURN_IF_ERROR(gateway(http2).Start());
  Call(http2);
  return absl::OkStatus();
}

absl::Status CreateBed::Check() {
  if (!simulator_->Running()) return absl::InternalError("the simulator is gone");
  for (const Side& side : sides_) {
    if (side.process != nullptr && !side.process->Running()) {
      return absl::InternalError(absl::StrCat("a gateway is gone; its log ends with:\n",
                                              LastLines(side.process->log(), 20)));
    }
  }
  return absl::OkStatus();
}

}  // namespace ipp::faults
