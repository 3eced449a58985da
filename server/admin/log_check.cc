#include "server/admin/log_check.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace ipp::admin {
namespace {

constexpr char kLost[] = "ipp_log_lines_lost_total";
constexpr char kLostHelp[] =
    "Log lines that were lost: the log was not read, or could not be written.";
// A line that has waited for so long is worth a note.
constexpr absl::Duration kLong = absl::Seconds(1);

}  // namespace

LogCheck::LogCheck(Metrics* metrics)
    : waiting_(metrics->gauge("ipp_log_waiting_seconds",
                              "For how long the oldest log line has waited to be written.")),
      lost_(metrics->counter(kLost, kLostHelp, {{"kind", "other"}})),
      lost_audit_(metrics->counter(kLost, kLostHelp, {{"kind", "audit"}})) {}

std::string LogCheck::Note(const LogQueue::State& state) {
  waiting_.Set(absl::ToDoubleSeconds(state.waiting));
  // Two callers may find the same loss; a counter that is a little ahead does no harm, but it must
  // not fall.
  lost_.Add(std::max(0.0, static_cast<double>(state.lost_lines) - lost_.value()));
  lost_audit_.Add(std::max(0.0, static_cast<double>(state.lost_audit_lines) - lost_audit_.value()));
  if (state.waiting < kLong) return "";
  return absl::StrCat("lines wait for ", absl::FormatDuration(absl::Floor(state.waiting, kLong)),
                      ", the log is not read; lost so far: ", state.lost_lines, " and ",
                      state.lost_audit_lines, " audit lines");
}

}  // namespace ipp::admin
