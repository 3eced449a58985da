#include "tests/faults/options.h"

#include <chrono>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "tests/faults/dialect_choice.h"

namespace ipp::faults {
namespace {

constexpr char kHelp[] =
    R"(crash_run: kills gateways (or their database) under load and holds what every subscriber saw
against the truth of the simulator.

usage: crash_run --build DIR [--rounds N] [--seed S] [--sessions N]
                 [--store sqlite|postgres] [--gateways 1|2] [--kill gateway|database|failover]
                 [--dialect none|random|NAME] [--clock none|steps|restarts] [--keep]

--dialect: how the upstream words what it says (ipp-simulator --dialect list); random draws one for
each round. --clock: the gateways' wall clocks step away and come back; restarts: gateways also start
meanwhile.
)";

bool OneOf(const std::string& value, std::initializer_list<const char*> allowed) {
  for (const char* each : allowed) {
    if (value == each) return true;
  }
  return false;
}

bool Set(const std::string& name, const std::string& value, RunOptions* options) {
  if (name == "--build")
    options->build = value;
  else if (name == "--rounds")
    return absl::SimpleAtoi(value, &options->rounds);
  else if (name == "--seed")
    return absl::SimpleAtoi(value, &options->seed);
  else if (name == "--sessions")
    return absl::SimpleAtoi(value, &options->sessions);
  else if (name == "--store")
    options->store = value;
  else if (name == "--gateways")
    return absl::SimpleAtoi(value, &options->gateways);
  else if (name == "--kill")
    options->kill = value;
  else if (name == "--dialect")
    options->dialect = value;
  else if (name == "--clock")
    return ParseClockTrouble(value, &options->clock);
  else
    return false;
  return true;
}

absl::Status Check(const RunOptions& options) {
  const auto wrong = [](const char* why) { return absl::InvalidArgumentError(why); };
  if (options.build.empty()) return wrong("--build is required");
  if (options.rounds < 1 || options.rounds > 100'000) return wrong("--rounds: 1 to 100000");
  if (options.sessions < 4 || options.sessions > 2000) return wrong("--sessions: 4 to 2000");
  if (!OneOf(options.store, {"sqlite", "postgres"})) return wrong("--store: sqlite or postgres");
  if (!OneOf(options.kill, {"gateway", "database", "failover"})) {
    return wrong("--kill: gateway, database or failover");
  }
  if (!IsDialectChoice(options.dialect)) {
    return wrong("--dialect: none, random, or one that does not lose references");
  }
  if (options.gateways < 1 || options.gateways > 2) return wrong("--gateways: 1 or 2");
  if (options.store == "sqlite" && (options.gateways > 1 || options.kill != "gateway")) {
    return wrong("several gateways, and killing the database, need --store postgres");
  }
  return absl::OkStatus();
}

}  // namespace

std::string RunOptions::CommandLine(uint64_t from_seed, int for_rounds) const {
  return absl::StrCat("./dev crash --rounds ", for_rounds, " --seed ", from_seed, " --sessions ",
                      sessions, " --store ", store, " --gateways ", gateways, " --kill ", kill,
                      dialect == "none" ? "" : absl::StrCat(" --dialect ", dialect),
                      clock == ClockTrouble::kNone ? "" : absl::StrCat(" --clock ", NameOf(clock)));
}

absl::StatusOr<RunOptions> ParseOptions(const std::vector<std::string>& arguments) {
  RunOptions options;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--help") return absl::InvalidArgumentError(kHelp);
    if (arguments[i] == "--keep") {
      options.keep = true;
      continue;
    }
    if (i + 1 == arguments.size() || !Set(arguments[i], arguments[i + 1], &options)) {
      return absl::InvalidArgumentError(
          absl::StrCat(arguments[i], ": no such flag, or no good value; see --help"));
    }
    ++i;
  }
  if (absl::Status status = Check(options); !status.ok()) return status;
  if (options.seed == 0) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    options.seed = 1 + static_cast<uint64_t>(now.count()) / 1000 % 1'000'000;
  }
  return options;
}

}  // namespace ipp::faults
