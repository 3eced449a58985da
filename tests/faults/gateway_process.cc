#include "tests/faults/gateway_process.h"

#include <csignal>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/faults/clock_steps.h"
#include "tests/faults/http_connection.h"

namespace ipp::faults {
namespace {

// Generous: sanitizers, a loaded machine.
constexpr absl::Duration kReadyLimit = absl::Seconds(30);
constexpr absl::Duration kDrainLimit = absl::Seconds(60);

std::string UpstreamOf(const GatewayProcess::Options& options, const SimulatorProcess& simulator) {
  const std::string where =
      options.tls ? absl::StrCat("base_url: \"https://127.0.0.1:", simulator.tls_port(),
                                 "\", ca_file: ", simulator.ca_file())
                  : absl::StrCat("base_url: \"http://127.0.0.1:", simulator.port(), "\"");
  return absl::StrCat(where, ", connections: 8, timeout: ", options.upstream_timeout,
                      ", transport: ", options.transport);
}

}  // namespace

GatewayProcess::GatewayProcess(Options options, const SimulatorProcess& simulator,
                               const WorkDirectory& directory)
    : options_(std::move(options)) {
  std::string merchants;
  for (const MerchantKey& merchant : simulator.merchants()) {
    const std::string key = directory.Write(absl::StrCat("api-key-", merchant.id),
                                            absl::StrCat(merchant.api_key, "\n"));
    absl::StrAppend(&merchants, "  - {id: ", merchant.id, ", api_key_file: ", key,
                    ", webhook_secrets_file: ", simulator.secrets_file(), "}\n");
  }
  config_ = directory.Write(
      absl::StrCat("gateway-", options_.name, ".yaml"),
      absl::StrCat("listen: ", grpc_address(), "\n", "upstream: {", UpstreamOf(options_, simulator),
                   "}\n", "merchants:\n", merchants,  //
                   "store: ", options_.store, "\n",
                   "webhooks: {listen: \"127.0.0.1:", webhooks_.number(), "\"}\n",
                   "admin: {listen: \"127.0.0.1:", admin_.number(), "\"}\n",
                   // As impatient as it may be, and without a budget that a test would feel.
                   "reconcile: {first: 200ms, max: 1s, watched: 200ms, max_in_flight: 4, "
                   "reads_per_second: 1000}\n",
                   "events: {max_subscribers_per_caller: 10000}\n",
                   "creates: {send_for: ", options_.send_for, ", settle: ", options_.settle, "}\n",
                   "drain_timeout: ", options_.drain_timeout, "\n"));
  log_ = directory.File(absl::StrCat("gateway-", options_.name, ".log"));
}

std::string GatewayProcess::grpc_address() const {
  return absl::StrCat("127.0.0.1:", grpc_.number());
}

std::string GatewayProcess::webhook_url() const {
  return absl::StrCat("http://127.0.0.1:", webhooks_.number(), "/webhooks/kustom");
}

absl::Status GatewayProcess::Start(const std::string& flag) {
  if (absl::Status launched = Launch(flag); !launched.ok()) return launched;
  return WaitUntilReady();
}

absl::Status GatewayProcess::StartInVain(absl::Duration life) {
  if (absl::Status launched = Launch(""); !launched.ok()) return launched;
  if (process_->Wait(life).ok()) return Failed("has ended by itself");
  Kill();
  return absl::OkStatus();
}

absl::Status GatewayProcess::RunTool(const std::vector<std::string>& flags) {
  std::vector<std::string> arguments = {options_.program, "--config", config_};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  auto process = ChildProcess::Start(arguments, log_);
  if (!process.ok()) return process.status();
  const absl::StatusOr<int> code = (*process)->Wait(kReadyLimit);
  if (code.ok() && *code == 0) return absl::OkStatus();
  return Failed(absl::StrCat("as a tool: ", code.ok() ? absl::StrCat("exit ", *code)
                                                      : std::string(code.status().message())));
}

absl::Status GatewayProcess::Launch(const std::string& flag) {
  started_at_ = absl::Now();
  std::vector<std::string> arguments = {options_.program, "--config", config_};
  if (!flag.empty()) arguments.push_back(flag);
  if (!options_.clock_file.empty()) {
    absl::Status found = PrefixWithClock(options_.clock_file, &arguments);
    if (!found.ok()) return found;
  }
  auto process = ChildProcess::Start(arguments, log_);
  if (!process.ok()) return process.status();
  process_ = *std::move(process);
  return absl::OkStatus();
}

absl::Status GatewayProcess::WaitUntilReady() {
  const absl::Time begin = absl::Now();
  while (HttpConnection(admin_.number()).Call("GET", "/readyz").code != 200) {
    if (process_->Wait(absl::Milliseconds(5)).ok()) return Failed("has ended");
    if (absl::Now() - begin > kReadyLimit) return Failed("is not ready");
  }
  return absl::OkStatus();
}

void GatewayProcess::Kill() {
  if (process_ != nullptr) process_->Kill();
}

absl::Status GatewayProcess::Drain() {
  process_->Signal(SIGTERM);
  const absl::StatusOr<int> code = process_->Wait(kDrainLimit);
  if (!code.ok()) return Failed("did not drain");
  return *code == 0 ? absl::OkStatus() : Failed(absl::StrCat("drained with exit ", *code));
}

absl::Status GatewayProcess::Failed(const std::string& what) const {
  return absl::UnavailableError(absl::StrCat("gateway ", options_.name, " ", what, "; ", log_,
                                             " ends with:\n", LastLines(log_, 10)));
}

absl::StatusOr<std::string> GatewayProcess::Metrics() const {
  RawResponse response = HttpConnection(admin_.number()).Call("GET", "/metrics");
  if (response.code != 200) {
    return absl::UnavailableError(absl::StrCat("/metrics of ", options_.name, ": ", response.code));
  }
  // Beside the log, for the suite's scan for secrets.
  std::ofstream(absl::StrCat(log_, ".metrics.log")) << response.body;
  return std::move(response.body);
}

}  // namespace ipp::faults
