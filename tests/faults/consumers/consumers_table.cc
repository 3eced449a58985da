#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/faults/consumers/consumers_run.h"

namespace ipp::faults {
namespace {

constexpr size_t kShown = 20;

void Say(const std::string& text) {
  std::fputs((text + "\n").c_str(), stdout);
  std::fflush(stdout);
}

// Counts of the faults are of the round; the others of all rounds so far.
std::string Line(const ConsumersReport& r) {
  const ConsumerVerdict& v = r.verdict;
  return absl::StrFormat("%5d %8d %5d %6d %5d %6d %8d %7d %10d %9d %6d %8d %7d %8d %4d %7.1fs  %s",
                         r.number, r.seed, r.faults.consumer_kills, r.faults.pauses, r.faults.kills,
                         r.faults.drains, r.faults.redrives, r.events, v.deliveries, v.acknowledged,
                         v.parked, v.in_doubt, v.redelivered, v.already_settled, v.lease_lost,
                         absl::ToDoubleSeconds(r.settle), v.wrong.empty() ? "kept" : "BROKEN");
}

int Fail(ConsumersRun* run, const RunOptions& options, const std::vector<std::string>& wrong) {
  for (size_t i = 0; i < std::min(wrong.size(), kShown); ++i) Say(wrong[i]);
  if (wrong.size() > kShown) Say(absl::StrCat("and ", wrong.size() - kShown, " more"));
  Say("logs, store and journals: " + run->Keep());
  Say("once more: " + options.CommandLine(options.seed, options.rounds));
  return 1;
}

}  // namespace

int RunConsumers(const RunOptions& options) {
  ConsumersRun run(options);
  if (const absl::Status started = run.Start(); !started.ok()) {
    Say(started.ToString());
    return 1;
  }
  Say("round     seed  dead paused kills drains redriven  events deliveries    acked parked in "
      "doubt  again  already lost  settled  verdict");
  for (int number = 1; number <= options.rounds; ++number) {
    const absl::StatusOr<ConsumersReport> report = run.Round(number);
    if (!report.ok()) {
      return Fail(&run, options,
                  {absl::StrCat("round ", number, ": ", report.status().ToString())});
    }
    Say(Line(*report));
    if (!report->verdict.wrong.empty()) return Fail(&run, options, report->verdict.wrong);
  }
  const std::vector<std::string> easy = run.Finish();
  if (!easy.empty()) return Fail(&run, options, easy);
  if (options.keep) Say("logs, store and journals: " + run.Keep());
  return 0;
}

}  // namespace ipp::faults
