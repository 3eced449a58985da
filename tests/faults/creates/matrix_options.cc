#include "tests/faults/creates/matrix_options.h"

#include <algorithm>
#include <chrono>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/faults/dialect_choice.h"

namespace ipp::faults {
namespace {

constexpr char kHelp[] =
    R"(create_matrix: every fault that can strike a create, on every kind of connection, for every kind
of caller, and what became of it held against the truth of the simulator.

usage: create_matrix --build DIR [--rounds N] [--seed S] [--beds N]
                     [--fault NAME,NAME] [--from-round N] [--protocol both|h1|h2]
                     [--kill gateway] [--store sqlite|postgres] [--gateways 1|2]
                     [--dialect none|random|NAME] [--clock none|steps|restarts] [--keep]

--rounds is of each fault. --gateways 2: the two are replicas on one database. --dialect: how the
upstream words what it says (ipp-simulator --dialect list); random draws one for each bed. --clock:
the gateways' wall clocks step away and come back; restarts: gateways also start meanwhile.
)";

bool Set(const std::string& name, const std::string& value, MatrixOptions* options) {
  if (name == "--build")
    options->build = value;
  else if (name == "--rounds")
    return absl::SimpleAtoi(value, &options->rounds);
  else if (name == "--from-round")
    return absl::SimpleAtoi(value, &options->first_round);
  else if (name == "--seed")
    return absl::SimpleAtoi(value, &options->seed);
  else if (name == "--beds")
    return absl::SimpleAtoi(value, &options->beds);
  else if (name == "--fault")
    options->faults = absl::StrSplit(value, ',', absl::SkipEmpty());
  else if (name == "--protocol")
    options->protocol = value;
  else if (name == "--kill")
    return options->kill = value == "gateway";
  else if (name == "--store")
    options->store = value;
  else if (name == "--gateways")
    return absl::SimpleAtoi(value, &options->gateways);
  else if (name == "--dialect")
    options->dialect = value;
  else if (name == "--clock")
    return ParseClockTrouble(value, &options->clock);
  else
    return false;
  return true;
}

absl::Status Check(const MatrixOptions& options) {
  const auto wrong = [](const std::string& why) { return absl::InvalidArgumentError(why); };
  if (options.build.empty()) return wrong("--build is required");
  if (options.rounds < 1 || options.rounds > 100'000) return wrong("--rounds: 1 to 100000");
  if (options.first_round < 0) return wrong("--from-round: 0 or more");
  if (options.beds < 1 || options.beds > 64) return wrong("--beds: 1 to 64");
  if (options.protocol != "both" && options.protocol != "h1" && options.protocol != "h2") {
    return wrong("--protocol: both, h1 or h2");
  }
  if (options.store != "sqlite" && options.store != "postgres") {
    return wrong("--store: sqlite or postgres");
  }
  if (options.gateways < 1 || options.gateways > 2) return wrong("--gateways: 1 or 2");
  if (options.gateways == 2 && (options.store != "postgres" || options.protocol != "both")) {
    return wrong("--gateways 2 needs --store postgres, and both protocols");
  }
  if (!IsDialectChoice(options.dialect)) {
    return wrong("--dialect: none, random, or one that does not lose references");
  }
  const auto& all = MatrixFaults();
  for (const std::string& name : options.faults) {
    if (std::none_of(all.begin(), all.end(), [&](const auto& f) { return f.name == name; })) {
      return wrong("--fault: there is no " + name);
    }
  }
  if (options.Faults().empty()) return wrong("no fault is left");
  return absl::OkStatus();
}

}  // namespace

CellOptions MatrixOptions::cells() const {
  return {.seed = seed,
          .http1 = protocol != "h2",
          .http2 = protocol != "h1",
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
      " --rounds 1 --beds 1 --protocol ", protocol, kill ? " --kill gateway" : "", " --store ",
      store, " --gateways ", gateways,
      dialect == "none" ? ""
                        : absl::StrCat(" --dialect ", cell.dialect.empty() ? "none" : cell.dialect),
      clock == ClockTrouble::kNone ? "" : absl::StrCat(" --clock ", NameOf(clock)));
}

absl::StatusOr<MatrixOptions> ParseMatrixOptions(const std::vector<std::string>& arguments) {
  MatrixOptions options;
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
