#include "tests/faults/creates/matrix_run.h"

#include <cstdio>
#include <random>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "server/base/status_macros.h"
#include "tests/faults/creates/create_round.h"
#include "tests/faults/creates/verdict.h"
#include "tests/faults/dialect_choice.h"
#include "tests/faults/letter_case.h"
#include "tests/faults/metrics_check.h"

namespace ipp::faults {
namespace {

namespace v1 = kustom::ipp::v1;

// More than the gateways of the beds take to find a create whose process died: what `send_for` and
// the time limits come to, and ten seconds in which clocks may differ.
constexpr absl::Duration kOrphansFound = absl::Seconds(45);
constexpr int kToldWhole = 10;

void Say(const std::string& text) {
  std::fputs((text + "\n").c_str(), stdout);
  std::fflush(stdout);
}

}  // namespace

MatrixRun::MatrixRun(MatrixOptions options)
    : options_(std::move(options)), faults_(options_.Faults()) {}

bool MatrixRun::Run() {
  Say(absl::StrCat("seed ", options_.seed, ", ", options_.rounds, " rounds of each of ",
                   faults_.size(), " faults, ", options_.beds, " beds"));
  const absl::Time begin = absl::Now();
  std::vector<std::thread> beds;
  for (int i = 0; i < options_.beds; ++i) beds.emplace_back([this, i] { Work(i); });
  for (std::thread& bed : beds) bed.join();
  MutexLock lock(&mutex_);
  Say(MatrixHead());
  MatrixLine all;
  for (const MatrixFault& fault : faults_) {
    Say(MatrixRow(fault.name, lines_[fault.name]));
    all.Add(lines_[fault.name]);
  }
  Say(MatrixRow("all", all));
  Say(absl::StrCat(
      "took ", absl::FormatDuration(absl::Trunc(absl::Now() - begin, absl::Seconds(1))), "; ",
      all.missed, " connections not as wanted, ", all.late, " callers that waited in vain, ",
      all.broke_again, " retries of what was not done that were lost as well"));
  for (const std::string& found : TooEasy(options_, lines_)) {
    Say(found);
    failed_ = true;
  }
  return !failed_ && all.rounds == options_.rounds * static_cast<int>(faults_.size());
}

void MatrixRun::Work(int number) {
  std::mt19937_64 random(options_.seed * 64 + static_cast<uint64_t>(number));
  auto bed = CreateBed::Start({.gateway_program = options_.build + "/server/ipp-gateway",
                               .simulator_program = options_.build + "/simulator/ipp-simulator",
                               .http1 = options_.protocol != "h2",
                               .http2 = options_.protocol != "h1",
                               .transport = options_.transport,
                               .postgres = options_.store == "postgres",
                               .shared = options_.gateways == 2,
                               .dialect = DrawDialect(options_.dialect, &random),
                               .clock = options_.clock,
                               .clock_seed = options_.seed + static_cast<uint64_t>(number)});
  if (!bed.ok()) return Fail(bed.status().ToString());
  absl::Status done = Work(bed->get());
  if (done.ok()) done = Finish(bed->get());
  if (!done.ok()) {
    (*bed)->directory().Keep();
    Fail(done.ToString());
  }
  if (options_.keep) (*bed)->directory().Keep();
  MutexLock lock(&mutex_);
  orphans_.erase(bed->get());
}

absl::Status MatrixRun::Work(CreateBed* bed) {
  Cell cell;
  while (Next(&cell)) {
    cell.dialect = bed->options().dialect;
    cell.clock_steps = bed->clocks() != nullptr;
    const absl::StatusOr<RoundRecord> record = RunRound(bed, cell);
    if (!record.ok()) {
      return absl::InternalError(absl::StrCat(Describe(cell), ": ", record.status().ToString(),
                                              "\nlogs and stores: ", bed->directory().path(),
                                              "\nonce more: ", options_.CommandLine(cell)));
    }
    if (!Judge(bed, *record)) bed->directory().Keep();
  }
  return absl::OkStatus();
}

// Round by round through all faults, so that a run that is cut has seen all of them.
bool MatrixRun::Next(Cell* cell) {
  MutexLock lock(&mutex_);
  const int count = static_cast<int>(faults_.size());
  if (next_ >= options_.rounds * count) return false;
  const int number = next_++;
  *cell = DrawCell(options_.cells(), faults_[static_cast<size_t>(number % count)],
                   options_.first_round + number / count);
  return true;
}

bool MatrixRun::Judge(CreateBed* bed, const RoundRecord& record) {
  const std::vector<std::string> wrong = JudgeRound(record);
  MutexLock lock(&mutex_);
  lines_[record.cell.fault].Add(record, wrong.empty());
  if (record.told_at_end.state() == v1::CREATE_STATE_UNDER_WAY) {
    orphans_[bed].push_back(record);
  }
  if (wrong.empty()) return true;
  failed_ = true;
  Say(absl::StrCat("WRONG ", Describe(record.cell), "\n  ! ", absl::StrJoin(wrong, "\n  ! ")));
  if (++told_ <= kToldWhole) Say(Describe(record));
  Say(absl::StrCat("  logs and stores: ", bed->directory().path(),
                   "\n  once more: ", options_.CommandLine(record.cell)));
  return false;
}

absl::Status MatrixRun::Finish(CreateBed* bed) {
  const auto held = HeldClocks::If(bed->clocks());
  IPP_RETURN_IF_ERROR(AwaitOrphans(bed));
  IPP_RETURN_IF_ERROR(CheckRemembered(bed));
  IPP_ASSIGN_OR_RETURN(const auto doubled, bed->upstream().Doubled());
  if (!doubled.empty()) {
    return absl::InternalError("CHARGED TWICE: " + absl::StrJoin(doubled, ", "));
  }
  for (const bool http2 : {false, true}) {
    if (http2 ? options_.protocol == "h1" : options_.protocol == "h2") continue;
    IPP_ASSIGN_OR_RETURN(const std::string metrics, bed->gateway(http2).Metrics());
    const double sessions = SumOf(metrics, "ipp_creates_doubled_total");
    if (sessions != 0) {
      return absl::InternalError(absl::StrCat("ipp_creates_doubled_total is ", sessions));
    }
  }
  return absl::OkStatus();
}

absl::Status MatrixRun::AwaitOrphans(CreateBed* bed) {
  std::vector<RoundRecord> orphans;
  {
    MutexLock lock(&mutex_);
    orphans = orphans_[bed];
  }
  const absl::Time until = absl::Now() + kOrphansFound;
  for (const RoundRecord& orphan : orphans) {
    while (true) {
      IPP_ASSIGN_OR_RETURN(const ToldOutcome told,
                           bed->caller(orphan.cell.http2).Outcome(orphan.request_id));
      if (told.state() == v1::CREATE_STATE_UNKNOWN) break;
      if (told.state() != v1::CREATE_STATE_UNDER_WAY || absl::Now() > until) {
        return absl::InternalError(absl::StrCat("a create whose gateway was killed is ",
                                                v1::CreateState_Name(told.state()),
                                                ", must become UNKNOWN: ", Describe(orphan)));
      }
      absl::SleepFor(absl::Milliseconds(200));
    }
  }
  return absl::OkStatus();
}

// The outcome that was given for a create is given at the end of the run as well.
absl::Status MatrixRun::CheckRemembered(CreateBed* bed) {
  std::mt19937_64 random;
  for (const auto& [http2, before] : bed->remembered()) {
    const bool settles = before.state() == v1::CREATE_STATE_UNKNOWN;
    IPP_ASSIGN_OR_RETURN(const ToldOutcome now,
                         bed->caller(http2).Outcome(Respell(before.request_id(), &random)));
    const bool same = now.known && now.state() == before.state() &&
                      now.outcome.session_id() == before.session_id();
    if (same || (settles && now.state() == v1::CREATE_STATE_EXECUTED)) continue;
    return absl::InternalError(absl::StrCat("told before: ", before.ShortDebugString(),
                                            "; at the end: ", now.outcome.ShortDebugString()));
  }
  return absl::OkStatus();
}

void MatrixRun::Fail(const std::string& why) {
  MutexLock lock(&mutex_);
  failed_ = true;
  Say(why);
}

}  // namespace ipp::faults
