#include "tests/faults/report.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace ipp::faults {
namespace {

constexpr char kHead[] = "%5s %8s %8s %6s %5s %6s %5s %7s %5s %9s %10s %9s %9s  %s";
constexpr char kLine[] = "%5s %8s %8d %6d %5d %6d %5d %7d %5d %9d %10d %7.0fms %7.0fms  %s";

std::string Line(const std::string& number, const std::string& seed, const RoundReport& r,
                 const std::string& verdict) {
  return absl::StrFormat(kLine, number, seed, r.sessions, r.events, r.kills, r.drains,
                         r.strikes.lost, r.strikes.doubled, r.strikes.late, r.strikes.reordered,
                         r.reconciled, absl::ToDoubleMilliseconds(r.longest_back),
                         absl::ToDoubleMilliseconds(r.settle), verdict);
}

void Append(const std::vector<std::string>& differences, const char* title, int limit,
            std::string* out) {
  if (differences.empty()) return;
  absl::StrAppend(out, title, " (", differences.size(), "):\n");
  int left = limit;
  for (const std::string& difference : differences) {
    if (left-- == 0) {
      absl::StrAppend(out, "  …\n");
      return;
    }
    absl::StrAppend(out, "  ", difference, "\n");
  }
}

}  // namespace

std::string TableHead() {
  return absl::StrFormat(kHead, "round", "seed", "sessions", "events", "kills", "drains", "lost",
                         "doubled", "late", "reordered", "reconciled", "back", "settled",
                         "verdict");
}

std::string TableLine(const RoundReport& report) {
  return Line(absl::StrCat(report.number), absl::StrCat(report.seed), report,
              absl::StrCat(report.good() ? "kept" : "BROKEN", report.dialect.empty() ? "" : "  ",
                           report.dialect));
}

std::string TableSum(const std::vector<RoundReport>& reports) {
  RoundReport sum;
  for (const RoundReport& r : reports) {
    sum.sessions += r.sessions;
    sum.events += r.events;
    sum.kills += r.kills;
    sum.drains += r.drains;
    sum.strikes.lost += r.strikes.lost;
    sum.strikes.doubled += r.strikes.doubled;
    sum.strikes.late += r.strikes.late;
    sum.strikes.reordered += r.strikes.reordered;
    sum.reconciled += r.reconciled;
    sum.longest_back = std::max(sum.longest_back, r.longest_back);
    sum.settle = std::max(sum.settle, r.settle);
  }
  return Line("all", "", sum, "(times: the longest)");
}

std::string Differences(const Verdict& verdict, int limit) {
  std::string text;
  Append(verdict.wrong, "wrong", limit, &text);
  Append(verdict.missing, "missing", limit, &text);
  return text;
}

}  // namespace ipp::faults
