#include "tests/faults/creates/matrix_options.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "tests/faults/command_line.h"

namespace ipp::faults {

CellOptions MatrixOptions::cells() const {
  return {.seed = seed,
          .http1 = protocol != "h2",
          .http2 = protocol != "h1",
          .knows_refusals = transport == "http2",
          .kill = kill,
          .replicas = gateways};
}

std::vector<MatrixFault> MatrixOptions::Faults() const {
  std::vector<MatrixFault> wanted;
  for (const MatrixFault& fault : MatrixFaults()) {
    const bool named = std::find(faults.begin(), faults.end(), fault.name) != faults.end();
    if (faults.empty() ? kill && !fault.with_kills : !named) continue;
    if (fault.http2_only && protocol == "h1") continue;
    wanted.push_back(fault);
  }
  return wanted;
}

std::string MatrixOptions::CommandLine(const Cell& cell) const {
  return absl::StrCat(
      "./dev faults --seed ", seed, " --fault ", cell.fault, " --from-round ", cell.round,
      " --rounds 1 --beds 1 --protocol ", protocol, " --transport ", transport,
      kill ? " --kill gateway" : "", " --store ", store, " --gateways ", gateways,
      dialect == "none" ? ""
                        : absl::StrCat(" --dialect ", cell.dialect.empty() ? "none" : cell.dialect),
      clock == ClockTrouble::kNone ? "" : absl::StrCat(" --clock ", NameOf(clock)));
}

absl::StatusOr<MatrixOptions> ParseMatrixOptions(const std::vector<std::string>& arguments) {
  MatrixOptions options;
  CLI::App app(
      "Every fault that can strike a create, on every kind of connection, for every kind of "
      "caller, "
      "and what became of it held against the truth of the simulator. --rounds is of each fault.");
  AddCommonFlags({.build = &options.build,
                  .rounds = &options.rounds,
                  .seed = &options.seed,
                  .store = &options.store,
                  .gateways = &options.gateways,
                  .dialect = &options.dialect,
                  .clock = &options.clock,
                  .keep = &options.keep},
                 &app);
  std::vector<std::string> names;
  for (const MatrixFault& fault : MatrixFaults()) names.push_back(fault.name);
  app.add_option("--fault", options.faults, "NAME,NAME; all without it")
      ->delimiter(',')
      ->check(CLI::IsMember(names));
  app.add_option("--from-round", options.first_round)->check(CLI::NonNegativeNumber);
  app.add_option("--beds", options.beds)->check(CLI::Range(1, 64))->capture_default_str();
  app.add_option("--protocol", options.protocol)
      ->check(CLI::IsMember({"both", "h1", "h2"}))
      ->capture_default_str();
  app.add_option("--transport", options.transport,
                 "upstream.transport of the gateway that speaks HTTP/2")
      ->check(CLI::IsMember({"libcurl", "http2"}))
      ->capture_default_str();
  std::string kill;
  app.add_option("--kill", kill)->check(CLI::IsMember({"gateway"}));
  IPP_RETURN_IF_ERROR(ReadCommandLine(&app, arguments));
  options.kill = !kill.empty();
  const auto wrong = [](const char* why) { return absl::InvalidArgumentError(why); };
  if (options.gateways == 2 && (options.store != "postgres" || options.protocol != "both")) {
    return wrong("--gateways 2 needs --store postgres, and both protocols");
  }
  if (options.transport == "http2" && options.protocol == "h1") {
    return wrong("--transport http2 needs --protocol h2 or both");
  }
  if (options.Faults().empty()) return wrong("no fault is left");
  if (options.seed == 0) options.seed = SeedByClock();
  return options;
}

}  // namespace ipp::faults
