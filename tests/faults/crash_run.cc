#include "tests/faults/crash_run.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/protobuf_time.h"
#include "server/base/status_macros.h"
#include "tests/faults/asked_again.h"
#include "tests/faults/dialect_choice.h"
#include "tests/faults/library_observer.h"
#include "tests/faults/listed_events.h"
#include "tests/faults/log_verdict.h"
#include "tests/faults/raw_observer.h"
#include "tests/faults/steps.h"
#include "tests/faults/unrecorded.h"

namespace ipp::faults {
namespace {

namespace v1 = kustom::ipp::v1;
using std::chrono::milliseconds;

// Generous: only a broken promise takes so long.
constexpr absl::Duration kSettleLimit = absl::Seconds(60);
// For the rest, once something is wrong.
constexpr absl::Duration kGrace = absl::Seconds(5);

// A delivery in three meets one of them.
constexpr char kFaults[] = R"("faults": [
  {"on": "webhook", "do": "lose", "probability": 0.10, "count": 0},
  {"on": "webhook", "do": "double", "probability": 0.10, "delay_ms": 30, "count": 0},
  {"on": "webhook", "do": "late", "probability": 0.08, "delay_ms": 200, "count": 0},
  {"on": "webhook", "do": "reorder", "probability": 0.08, "delay_ms": 300, "count": 0}])";

constexpr const char* kSweeps[] = {"clerk-cancel", "expire", "fail"};

v1::SessionEventFilter OfMerchant(const MerchantKey& merchant) {
  v1::SessionEventFilter filter;
  filter.add_merchant_ids(merchant.id);
  return filter;
}

v1::SessionEventFilter OfEnds() {
  v1::SessionEventFilter filter;
  for (int type = v1::SessionEventType_MIN; type <= v1::SessionEventType_MAX; ++type) {
    const auto each = static_cast<v1::SessionEventType>(type);
    if (IsTerminal(each)) filter.add_types(each);
  }
  return filter;
}

int CountOf(const std::map<std::string, int>& counts, const std::string& name) {
  const auto found = counts.find(name);
  return found == counts.end() ? 0 : found->second;
}

}  // namespace

CrashRun::~CrashRun() {
  // The callers end before the gateways.
  traffic_.reset();
  watches_.reset();
  late_.reset();
  observers_.clear();
}

absl::Status CrashRun::Start() {
  IPP_ASSIGN_OR_RETURN(bed_, Bed::Start(options_));
  control_ = std::make_unique<SimulatorControl>(bed_->simulator().port());
  const std::vector<std::string> gateways = bed_->grpc_addresses();
  watches_ = std::make_unique<Watches>(gateways, &changes_);
  traffic_ = std::make_unique<Traffic>(bed_->simulator(), gateways, watches_.get(),
                                       options_.clock != ClockTrouble::kNone);
  StartObservers();
  return absl::OkStatus();
}

void CrashRun::StartObservers() {
  const std::vector<std::string> gateways = bed_->grpc_addresses();
  const auto& merchants = bed_->simulator().merchants();
  const auto raw = [&](RawObserver::Options options) {
    options.gateways = gateways;
    observers_.push_back(std::make_unique<RawObserver>(std::move(options), &changes_));
  };
  // The reference first.
  raw({.name = "all", .gateways = {}});
  observers_.push_back(
      std::make_unique<LibraryObserver>("library", gateways, v1::SessionEventFilter(), &changes_));
  const std::vector<std::string> reversed(gateways.rbegin(), gateways.rend());
  observers_.push_back(std::make_unique<LibraryObserver>("merchant 1", reversed,
                                                         OfMerchant(merchants[0]), &changes_));
  raw({.name = "merchant 2", .gateways = {}, .filter = OfMerchant(merchants[1]), .seed = 1});
  raw({.name = "ends", .gateways = {}, .filter = OfEnds()});
  raw({.name = "restless", .gateways = {}, .restless_after = 60, .seed = options_.seed});
}

// One gateway hears of everything, or the other, or both do.
absl::Status CrashRun::SetReceivers(int round) {
  std::vector<std::string> receivers;
  for (const auto& gateway : bed_->gateways()) receivers.push_back(gateway->webhook_url());
  if (receivers.size() > 1 && round % 3 != 0) {
    receivers = {receivers[static_cast<size_t>(round) % receivers.size()]};
  }
  return control_->SetReceivers(receivers);
}

absl::StatusOr<RoundReport> CrashRun::Round(int number) {
  RoundReport report;
  report.number = number;
  report.seed = options_.seed + static_cast<uint64_t>(number) - 1;
  random_.seed(report.seed);
  // Nothing is on its way: the last round has settled.
  IPP_RETURN_IF_ERROR(SetReceivers(number));
  IPP_RETURN_IF_ERROR(
      control_->SetFaults(absl::StrCat("{\"seed\": ", report.seed, ", ", kFaults, "}")));
  report.dialect = DrawDialect(options_.dialect, &random_);
  IPP_RETURN_IF_ERROR(control_->SetDialect(report.dialect));
  const int ended_before = tally_.ended;
  const Tally before = tally_;
  IPP_RETURN_IF_ERROR(Drive(report.seed, &report));
  IPP_RETURN_IF_ERROR(Settle(&report));
  late_.reset();
  IPP_RETURN_IF_ERROR(bed_->Check());
  report.sessions = tally_.sessions - before.sessions;
  report.events = tally_.events - before.events;
  report.reconciled = tally_.reconciled - before.reconciled;
  if (tally_.ended == ended_before) report.verdict.wrong.emplace_back("no session has ended");
  reports_.push_back(report);
  return report;
}

absl::Status CrashRun::Drive(uint64_t seed, RoundReport* report) {
  const int steps_before = bed_->clocks() == nullptr ? 0 : bed_->clocks()->steps();
  const auto plans = DrawPlans(options_.sessions,
                               static_cast<int>(bed_->simulator().merchants().size()), &random_);
  int actions = 0;
  for (const Plan& plan : plans) actions += plan.actions();
  traffic_->Begin(absl::StrCat("round-", report->number), plans, seed);
  const int kills = 1 + static_cast<int>(Draw(&random_, 3) == 0);
  for (int i = 1; i <= kills; ++i) {
    // Within this kill's share of the round, neither at its very start nor end.
    const int at =
        actions * (i - 1) / kills + actions / kills / 10 +
        static_cast<int>(Draw(&random_, static_cast<uint64_t>(actions / kills * 8 / 10)));
    IPP_RETURN_IF_ERROR(KillOnce(at, report));
    if (late_ == nullptr) {
      late_ = std::make_unique<RawObserver>(
          RawObserver::Options{.name = "late", .gateways = bed_->grpc_addresses(), .seed = seed},
          &changes_);
    }
  }
  traffic_->Finish();
  IPP_RETURN_IF_ERROR(EndOpenSessions(traffic_->stays_open()));
  // A step at least has been and gone, with the traffic or after it.
  if (bed_->clocks() != nullptr) bed_->clocks()->WaitForSteps(steps_before + 1);
  return absl::OkStatus();
}

absl::Status CrashRun::KillOnce(int at_action, RoundReport* report) {
  traffic_->WaitForActions(at_action, milliseconds(20'000));
  // Not always just after an action.
  traffic_->WaitForActions(at_action + 1 + static_cast<int>(Draw(&random_, 3)),
                           milliseconds(Draw(&random_, 4)));
  const bool in_order = Draw(&random_, 8) == 0;
  IPP_RETURN_IF_ERROR(in_order ? bed_->Drain(&random_) : bed_->Kill(&random_));
  ++(in_order ? report->drains : report->kills);
  // Some of the world goes on without a gateway.
  traffic_->WaitForActions(at_action + static_cast<int>(Draw(&random_, 20)),
                           milliseconds(Draw(&random_, 150)));
  IPP_ASSIGN_OR_RETURN(const absl::Duration took, bed_->Revive(&random_));
  report->longest_back = std::max(report->longest_back, took);
  return absl::OkStatus();
}

absl::Status CrashRun::EndOpenSessions(const std::set<std::string>& but) {
  IPP_ASSIGN_OR_RETURN(const SimulatorControl::Reading now, control_->Read());
  for (const auto& [id, session] : now.truth.sessions) {
    if (IsFinal(session.status) || but.count(id) > 0) continue;
    IPP_RETURN_IF_ERROR(control_->Step(id, kSweeps[Draw(&random_, std::size(kSweeps))]));
  }
  return absl::OkStatus();
}

absl::Status CrashRun::Settle(RoundReport* report) {
  // A clock that is wrong puts things off; that nothing stays so is judged with right ones.
  const auto held = bed_->HoldClocks();
  const absl::Time begin = absl::Now();
  absl::Time deadline = begin + kSettleLimit;
  IPP_RETURN_IF_ERROR(WaitForWebhooks(deadline));
  IPP_ASSIGN_OR_RETURN(reading_, control_->Read());
  History history;
  while (true) {
    const uint64_t seen = changes_.count();
    history = Look(reading_.truth);
    report->verdict = Judge(history);
    if (report->verdict.missing.empty() || absl::Now() > deadline) break;
    // What else there is to tell comes soon.
    if (!report->verdict.wrong.empty()) deadline = std::min(deadline, absl::Now() + kGrace);
    changes_.WaitBeyond(seen, milliseconds(200));
  }
  report->settle = absl::Now() - begin;
  for (const auto& complaints : {traffic_->complaints(), watches_->complaints()}) {
    report->verdict.wrong.insert(report->verdict.wrong.end(), complaints.begin(), complaints.end());
  }
  CheckMetrics(report);
  tally_ = Count(history);
  Strikes all;
  all.lost = CountOf(reading_.strikes, "lose");
  all.doubled = CountOf(reading_.strikes, "double");
  all.late = CountOf(reading_.strikes, "late");
  all.reordered = CountOf(reading_.strikes, "reorder");
  report->strikes = {all.lost - strikes_.lost, all.doubled - strikes_.doubled,
                     all.late - strikes_.late, all.reordered - strikes_.reordered};
  strikes_ = all;
  cut_creates_ = 0;
  for (const CreateCall& create : history.ledger.creates) {
    if (create.session_id.empty()) ++cut_creates_;
  }
  return absl::OkStatus();
}

absl::Status CrashRun::WaitForWebhooks(absl::Time deadline) {
  while (true) {
    IPP_ASSIGN_OR_RETURN(const int undelivered, control_->Undelivered());
    if (undelivered == 0) return absl::OkStatus();
    if (absl::Now() > deadline) {
      return absl::DeadlineExceededError(absl::StrCat(undelivered, " webhooks are not taken"));
    }
    IPP_RETURN_IF_ERROR(bed_->Check());
    // Woken by events, most of which are webhooks that came.
    changes_.WaitBeyond(changes_.count(), milliseconds(20));
  }
}

History CrashRun::Look(const Truth& truth) {
  History history;
  history.truth = truth;
  history.ledger = traffic_->ledger();
  for (const auto& observer : observers_) history.observers.push_back(observer->observation());
  if (late_ != nullptr) history.observers.push_back(late_->observation());
  history.watches = watches_->observations();
  for (const auto& gateway : bed_->gateways()) {
    NoteUnrecorded(ReadFile(gateway->log()), &history.ledger);
  }
  // A watch reads its session, also one whose create was cut.
  for (const WatchObservation& watch : history.watches) {
    history.ledger.asked.insert(watch.session_id);
  }
  return history;
}

// An event is counted a moment after subscribers get it, and one may come after the verdict (a read
// that completes a session), so each try looks at both anew.
void CrashRun::CheckMetrics(RoundReport* report) {
  for (const auto& gateway : bed_->gateways()) {
    std::vector<std::string> wrong;
    const absl::Time end = absl::Now() + kGrace;
    do {
      wrong = WrongInMetrics(*gateway, Look(reading_.truth));
    } while (!wrong.empty() && absl::Now() < end);
    for (std::string& finding : wrong) report->verdict.wrong.push_back(std::move(finding));
  }
}

std::vector<std::string> CrashRun::WrongInMetrics(const GatewayProcess& gateway,
                                                  const History& history) const {
  const absl::StatusOr<std::string> metrics = gateway.Metrics();
  if (!metrics.ok()) return {metrics.status().ToString()};
  return FindInMetrics(*metrics, history,
                       {.started_at = gateway.started_at(),
                        .counts_all = options_.gateways == 1 && options_.kill == "gateway",
                        .store_may_fail = options_.kill != "gateway",
                        .clock_stepped = options_.clock != ClockTrouble::kNone});
}

void CrashRun::Keep() {
  std::string events;
  for (const auto& observer : observers_) {
    const Observation observation = observer->observation();
    absl::StrAppend(&events, "---- ", observation.name, "\n");
    for (const SeenEventPtr& seen : observation.events) {
      absl::StrAppend(&events, absl::FormatTime(FromTimestamp(seen->event.recorded_at())), " ",
                      seen->event.cursor(), " ", Describe(seen->event), " ",
                      seen->event.request_id(), "\n");
    }
  }
  WorkDirectory& directory = bed_->directory();
  directory.Write("events.txt", events);
  directory.Write("sessions.json", reading_.sessions_page);
  directory.Write("webhooks.json", reading_.webhooks_page);
  directory.Keep();
}

int CrashRun::RefusedWebhooks() {
  double refused = 0;
  for (const auto& gateway : bed_->gateways()) {
    refused +=
        SumOf(gateway->Metrics().value_or(""), "ipp_webhooks_total", {"result=\"store_failed\""});
  }
  return static_cast<int>(refused);
}

std::vector<std::string> CrashRun::Finish() {
  const auto held = bed_->HoldClocks();
  const History history = Look(reading_.truth);
  std::vector<std::string> wrong =
      AskAgain(bed_->grpc_addresses(), bed_->simulator().merchants(), history, &random_);
  if (absl::Status sent = ResendTaken(control_.get(), reading_.truth, &random_); !sent.ok()) {
    wrong.push_back(sent.ToString());
  }
  Verdict verdict;
  const Observation& reference = history.observers.front();
  for (const std::string& gateway : bed_->grpc_addresses()) {
    JudgeObserver(reference, ListEvents(gateway, "ListSessionEvents at " + gateway), &verdict);
  }
  wrong.insert(wrong.end(), verdict.wrong.begin(), verdict.wrong.end());
  wrong.insert(wrong.end(), verdict.missing.begin(), verdict.missing.end());

  // That it was hard enough to mean something.
  const int rounds = static_cast<int>(reports_.size());
  const auto at_least = [&](const char* what, int count, int least) {
    if (count >= least) return;
    wrong.push_back(absl::StrCat("only ", count, " ", what, ", not ", least, ": proves little"));
  };
  int kills = 0;
  for (const RoundReport& report : reports_) kills += report.kills + report.drains;
  at_least("kills and drains", kills, rounds);
  if (bed_->clocks() != nullptr) at_least("clock steps", bed_->clocks()->steps(), rounds);
  at_least("sessions", tally_.sessions, rounds * options_.sessions * 8 / 10);
  at_least("ended sessions", tally_.ended, rounds * options_.sessions * 6 / 10);
  at_least("events", tally_.events, rounds * options_.sessions);
  at_least("reconciled events", tally_.reconciled, rounds);
  at_least("lost webhooks", strikes_.lost, rounds);
  at_least("doubled webhooks", strikes_.doubled, rounds);
  at_least("late webhooks", strikes_.late, rounds);
  at_least("reordered webhooks", strikes_.reordered, rounds);
  if (options_.kill == "gateway") {
    at_least("cut creates", cut_creates_, rounds / 8);
  } else {
    at_least("webhooks refused for want of a database", RefusedWebhooks(), rounds);
  }
  // What cannot be known is an exception.
  if (tally_.unknown > 2 + tally_.sessions / 20) {
    wrong.push_back(absl::StrCat(tally_.unknown, " of ", tally_.sessions, " sessions are unknown"));
  }
  return wrong;
}

}  // namespace ipp::faults
