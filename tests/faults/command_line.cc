#include "tests/faults/command_line.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "tests/faults/dialect_choice.h"

namespace ipp::faults {

void AddCommonFlags(const CommonFlags& flags, CLI::App* app) {
  app->add_option("--build", *flags.build, "the build folder with the programs")->required();
  app->add_option("--rounds", *flags.rounds)->check(CLI::Range(1, 100'000))->capture_default_str();
  app->add_option("--seed", *flags.seed, "of the first round; 0: by the clock");
  app->add_option("--store", *flags.store)
      ->check(CLI::IsMember({"sqlite", "postgres"}))
      ->capture_default_str();
  app->add_option("--gateways", *flags.gateways, "2: replicas on one database, with postgres")
      ->check(CLI::Range(1, 2))
      ->capture_default_str();
  app->add_option("--dialect", *flags.dialect,
                  "how the upstream words what it says: a name of `ipp-simulator --dialect list` "
                  "that keeps references, none, or random")
      ->check(CLI::Validator(
          [](const std::string& name) {
            return IsDialectChoice(name) ? std::string()
                                         : "none, random, or one that does not "
                                           "lose references";
          },
          "NAME"))
      ->capture_default_str();
  app->add_option("--clock", *flags.clock,
                  "the gateways' wall clocks step away and come back; restarts: gateways also "
                  "start meanwhile")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, ClockTrouble>{{"none", ClockTrouble::kNone},
                                              {"steps", ClockTrouble::kSteps},
                                              {"restarts", ClockTrouble::kRestarts}}));
  app->add_flag("--keep", *flags.keep, "keep logs and stores, also when all went well");
}

absl::Status ReadCommandLine(CLI::App* app, std::vector<std::string> arguments) {
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
  try {
    app->parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    return absl::InvalidArgumentError(app->help());
  } catch (const CLI::ParseError& wrong) {
    return absl::InvalidArgumentError(std::string(wrong.what()) + "; see --help");
  }
  return absl::OkStatus();
}

uint64_t SeedByClock() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return 1 + static_cast<uint64_t>(now.count()) / 1000 % 1'000'000;
}

}  // namespace ipp::faults
