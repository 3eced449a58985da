#include "tests/faults/creates/matrix_report.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/faults/creates/verdict.h"

namespace ipp::faults {
namespace {

constexpr char kHead[] = "%-30s %6s %6s %5s %8s %8s %7s %5s %7s %8s %7s %6s %5s %11s %11s %6s %4s";
constexpr char kRow[] =
    "%-30s %6d %6d %5d %8d %8d %7d %5d %7d %8d %7d %6d %5d %5d/%-5d %5d/%-5d %6d %4d";

bool Turned(const RoundRecord& record) {
  namespace v1 = kustom::ipp::v1;
  if (record.settled.state() != v1::CREATE_STATE_EXECUTED) return false;
  // Either after the caller had its answer, or before: then that was OK, and the answer was lost.
  return !record.first.ok() || record.told.state() != v1::CREATE_STATE_EXECUTED ||
         (!record.truth.reads.empty() && record.truth.reads[0].status == 0);
}

}  // namespace

void MatrixLine::Add(const RoundRecord& record, bool good) {
  ++rounds;
  struck += record.struck;
  const CallerAnswer& first = record.first;
  const auto outcome = first.error.outcome.value_or(Outcome::kExecuted);
  ok += first.ok();
  gone += first.gone;
  if (!first.ok() && !first.gone) {
    not_sent += outcome == Outcome::kNotSent;
    rejected += outcome == Outcome::kRejected;
    unknown += outcome == Outcome::kUnknown;
  }
  settled += Turned(record);
  replayed += record.retry.ok() && record.retry.response.replayed();
  created += record.retry.ok() && !record.retry.response.replayed();
  broke_again += BrokeAgain(record);
  const auto in_doubt = std::count_if(
      record.truth_at_end.reads.begin(), record.truth_at_end.reads.end(),
      [&](const auto& read) { return !ProvenUnprocessed(record.cell, read) && !GivenBack(read); });
  doubled += in_doubt > 1;
  wrong += !good;
  if (!record.truth.reads.empty()) {
    const ReadRequest& read = record.truth.reads[0];
    ++(record.was_reused ? reused : fresh);
    ++(read.protocol == "h2" ? http2 : http1);
    missed += record.was_reused != record.cell.reused && !record.cell.close_unused;
  }
  if (record.cell.patience == Patience::kWaits && record.cell.meanwhile == Meanwhile::kNothing) {
    ++waited;
    late += first.gone;
  }
  under_way += record.killed_under_way;
  joined += record.elsewhere.made;
}

void MatrixLine::Add(const MatrixLine& other) {
  rounds += other.rounds;
  struck += other.struck;
  ok += other.ok;
  not_sent += other.not_sent;
  rejected += other.rejected;
  unknown += other.unknown;
  gone += other.gone;
  settled += other.settled;
  replayed += other.replayed;
  created += other.created;
  doubled += other.doubled;
  wrong += other.wrong;
  reused += other.reused;
  fresh += other.fresh;
  http1 += other.http1;
  http2 += other.http2;
  missed += other.missed;
  late += other.late;
  waited += other.waited;
  broke_again += other.broke_again;
  under_way += other.under_way;
  joined += other.joined;
}

std::string MatrixHead() {
  return absl::StrFormat(kHead, "fault", "rounds", "struck", "OK", "NOT_SENT", "REJECTED",
                         "UNKNOWN", "gone", "settled", "replayed", "created", "read>1", "wrong",
                         "reused/fresh", "h1/h2", "killed", "join");
}

std::string MatrixRow(const std::string& name, const MatrixLine& l) {
  return absl::StrFormat(kRow, name, l.rounds, l.struck, l.ok, l.not_sent, l.rejected, l.unknown,
                         l.gone, l.settled, l.replayed, l.created, l.doubled, l.wrong, l.reused,
                         l.fresh, l.http1, l.http2, l.under_way, l.joined);
}

std::vector<std::string> TooEasy(const MatrixOptions& options,
                                 const std::map<std::string, MatrixLine>& lines) {
  std::vector<std::string> found;
  MatrixLine all;
  for (const auto& [name, line] : lines) {
    all.Add(line);
    // Not every round lets it: a refused connection strikes fresh ones only, a caller may be gone
    // too soon.
    if (line.struck == 0 && line.rounds >= 6 && name != "none") {
      found.push_back(absl::StrCat(name, " has never struck"));
    }
  }
  // A share, and a few more: on a busy machine the moments of a short run shift.
  const int read = all.reused + all.fresh;
  if (all.missed * 10 > read + 50) {
    found.push_back(absl::StrCat(all.missed, " of ", read,
                                 " connections were not reused or fresh as they should be"));
  }
  if (all.late * 50 > all.waited + 200) {
    found.push_back(absl::StrCat(all.late, " of ", all.waited, " callers waited in vain"));
  }
  if (all.broke_again > 3 + all.created / 50) {
    found.push_back(absl::StrCat(all.broke_again, " retries of what was not done were lost, ",
                                 all.created, " were not"));
  }
  if (options.kill && all.rounds >= 40 && all.under_way * 10 < all.rounds) {
    found.push_back(absl::StrCat("only ", all.under_way, " of ", all.rounds,
                                 " kills hit between the request and its answer"));
  }
  return found;
}

}  // namespace ipp::faults
