#include "tests/faults/options.h"

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "tests/faults/command_line.h"

namespace ipp::faults {

std::string RunOptions::CommandLine(uint64_t from_seed, int for_rounds) const {
  return absl::StrCat("./dev crash --rounds ", for_rounds, " --seed ", from_seed, " --sessions ",
                      sessions, " --store ", store, " --gateways ", gateways, " --kill ", kill,
                      consumers == 0 ? "" : absl::StrCat(" --consumers ", consumers),
                      dialect == "none" ? "" : absl::StrCat(" --dialect ", dialect),
                      clock == ClockTrouble::kNone ? "" : absl::StrCat(" --clock ", NameOf(clock)));
}

absl::StatusOr<RunOptions> ParseOptions(const std::vector<std::string>& arguments) {
  RunOptions options;
  CLI::App app(
      "Kills or restores real gateways under load, and holds what every subscriber saw against the "
      "truth of the simulator.");
  AddCommonFlags({.build = &options.build,
                  .rounds = &options.rounds,
                  .seed = &options.seed,
                  .store = &options.store,
                  .gateways = &options.gateways,
                  .dialect = &options.dialect,
                  .clock = &options.clock,
                  .keep = &options.keep},
                 &app);
  app.add_option("--sessions", options.sessions, "a round")->check(CLI::Range(4, 2000));
  app.add_option("--kill", options.kill)
      ->check(CLI::IsMember({"gateway", "database", "failover"}))
      ->capture_default_str();
  app.add_option("--consumers", options.consumers,
                 "that many processes share a subscription, and are killed and paused too")
      ->check(CLI::Range(1, 64));
  IPP_RETURN_IF_ERROR(ReadCommandLine(&app, arguments));
  if (options.store == "sqlite" && (options.gateways > 1 || options.kill != "gateway")) {
    return absl::InvalidArgumentError(
        "several gateways, and killing the database, need --store postgres");
  }
  if (options.seed == 0) options.seed = SeedByClock();
  return options;
}

}  // namespace ipp::faults
