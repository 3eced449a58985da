#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "tests/faults/consumers/consumer_process.h"
#include "tests/faults/consumers/consumers_run.h"
#include "tests/faults/crash_run.h"
#include "tests/faults/options.h"
#include "tests/faults/report.h"

namespace {

using ipp::faults::CrashRun;
using ipp::faults::RoundReport;
using ipp::faults::RunOptions;

void Say(const std::string& text) {
  std::fputs((text + "\n").c_str(), stdout);
  std::fflush(stdout);
}

int Fail(CrashRun* run, const RunOptions& options, const std::string& why) {
  run->Keep();
  Say(why);
  Say("logs and store: " + run->directory());
  Say("once more: " + options.CommandLine(options.seed, options.rounds));
  return 1;
}

int Run(const RunOptions& options) {
  CrashRun run(options);
  if (const absl::Status started = run.Start(); !started.ok()) {
    Say(started.ToString());
    return 1;
  }
  Say(ipp::faults::TableHead());
  std::vector<RoundReport> reports;
  for (int number = 1; number <= options.rounds; ++number) {
    const absl::StatusOr<RoundReport> report = run.Round(number);
    if (!report.ok()) {
      return Fail(&run, options,
                  "round " + std::to_string(number) + ": " + report.status().ToString());
    }
    Say(ipp::faults::TableLine(*report));
    reports.push_back(*report);
    if (!report->good()) {
      return Fail(&run, options, ipp::faults::Differences(report->verdict, 20));
    }
  }
  Say(ipp::faults::TableSum(reports));
  std::string findings;
  for (const std::string& finding : run.Finish()) findings += finding + "\n";
  if (!findings.empty()) return Fail(&run, options, findings);
  if (options.keep) {
    run.Keep();
    Say("logs and store: " + run.directory());
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (ipp::faults::AreForConsumer(arguments)) return ipp::faults::ConsumerMain(arguments);
  const auto options = ipp::faults::ParseOptions(arguments);
  if (!options.ok()) {
    std::fprintf(stderr, "%s\n", std::string(options.status().message()).c_str());
    return 2;
  }
  return options->consumers > 0 ? ipp::faults::RunConsumers(*options) : Run(*options);
}
