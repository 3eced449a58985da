#include "tests/faults/consumers/consumers_run.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/base/status_macros.h"
#include "tests/faults/consumers/consumer_process.h"
#include "tests/faults/fresh_channel.h"
#include "tests/faults/listed_events.h"

namespace ipp::faults {
namespace {

namespace v1 = kustom::ipp::v1;
using std::chrono::milliseconds;

constexpr char kName[] = "orders";
constexpr absl::Duration kLease = absl::Seconds(5);  // the least
constexpr int kAttempts = 4;
// Generous: only a broken promise takes so long.
constexpr absl::Duration kSettleLimit = absl::Seconds(90);

absl::Status Failed(const std::string& call, const grpc::Status& status) {
  return absl::UnavailableError(absl::StrCat(call, ": ", status.error_message()));
}

void Prepare(grpc::ClientContext* context) {
  context->set_wait_for_ready(true);
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
}

}  // namespace

ConsumersRun::~ConsumersRun() {
  traffic_.reset();
  watches_.reset();
  pods_.clear();
}

std::unique_ptr<ConsumersRun::Stub> ConsumersRun::NewStub() {
  const std::vector<std::string> gateways = bed_->grpc_addresses();
  return v1::SharedSubscriptionService::NewStub(
      FreshChannel(gateways[Draw(&random_, gateways.size())]));
}

absl::Status ConsumersRun::Start() {
  random_.seed(options_.seed);
  IPP_ASSIGN_OR_RETURN(bed_, Bed::Start(options_));
  control_ = std::make_unique<SimulatorControl>(bed_->simulator().port());
  std::vector<std::string> receivers;
  for (const auto& gateway : bed_->gateways()) receivers.push_back(gateway->webhook_url());
  IPP_RETURN_IF_ERROR(control_->SetReceivers(receivers));
  watches_ = std::make_unique<Watches>(bed_->grpc_addresses(), &changes_);
  traffic_ = std::make_unique<Traffic>(bed_->simulator(), bed_->grpc_addresses(), watches_.get(),
                                       options_.clock != ClockTrouble::kNone);
  v1::CreateSharedSubscriptionRequest request;
  v1::SharedSubscription* subscription = request.mutable_subscription();
  subscription->set_name(kName);
  subscription->mutable_start()->set_position(v1::START_POSITION_FROM_OLDEST);
  subscription->mutable_lease()->set_seconds(absl::ToInt64Seconds(kLease));
  subscription->set_max_attempts(kAttempts);
  grpc::ClientContext context;
  Prepare(&context);
  v1::CreateSharedSubscriptionResponse response;
  const grpc::Status made = NewStub()->CreateSharedSubscription(&context, request, &response);
  if (!made.ok()) return Failed("CreateSharedSubscription", made);
  for (int i = 1; i <= options_.consumers; ++i) {
    Pod& pod = pods_.emplace_back();
    pod.name = absl::StrCat("pod-", i);
    pod.journal = bed_->directory().File(absl::StrCat(pod.name, ".journal"));
    IPP_RETURN_IF_ERROR(StartPod(&pod));
  }
  return absl::OkStatus();
}

absl::Status ConsumersRun::StartPod(Pod* pod) {
  const ConsumerOptions consumer{.name = pod->name,
                                 .subscription = kName,
                                 .journal = pod->journal,
                                 .seed = options_.seed * 1000 + static_cast<uint64_t>(++starts_),
                                 .gateways = bed_->grpc_addresses()};
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  IPP_ASSIGN_OR_RETURN(
      pod->process,
      ChildProcess::Start(ArgumentsOf(self, consumer), bed_->directory().File(pod->name + ".log")));
  pod->paused_until.reset();
  return absl::OkStatus();
}

absl::StatusOr<ConsumersReport> ConsumersRun::Round(int number) {
  ConsumersReport report;
  report.number = number;
  report.seed = options_.seed + static_cast<uint64_t>(number) - 1;
  random_.seed(report.seed);
  const auto plans = DrawPlans(options_.sessions,
                               static_cast<int>(bed_->simulator().merchants().size()), &random_);
  int actions = 0;
  for (const Plan& plan : plans) actions += plan.actions();
  traffic_->Begin(absl::StrCat("round-", number), plans, report.seed);
  // Strikes all along the sales.
  for (int at = static_cast<int>(Draw(&random_, 10)); at < actions;
       at += 5 + static_cast<int>(Draw(&random_, static_cast<uint64_t>(actions / 5 + 1)))) {
    traffic_->WaitForActions(at, milliseconds(3'000));
    traffic_->WaitForActions(at + 3, milliseconds(Draw(&random_, 60)));
    IPP_RETURN_IF_ERROR(Strike(&report.faults));
  }
  if (away_) IPP_RETURN_IF_ERROR(Revive());
  traffic_->Finish();
  const absl::Time begin = absl::Now();
  SharedTruth truth;
  IPP_RETURN_IF_ERROR(WaitUntilSettled(&truth));
  report.settle = absl::Now() - begin;
  IPP_RETURN_IF_ERROR(bed_->Check());
  IPP_ASSIGN_OR_RETURN(const ConsumerHistory history, History());
  report.events = static_cast<int>(truth.log.size());
  report.verdict = JudgeConsumers(truth, history);
  reports_.push_back(report);
  return report;
}

absl::Status ConsumersRun::Strike(ConsumerFaults* faults) {
  WakePods(/*all=*/false);
  Pod& pod = pods_[Draw(&random_, pods_.size())];
  switch (Draw(&random_, 8)) {
    case 0:
    case 1:
    case 2:  // back at the next strike that meets it
      if (pod.process == nullptr) return StartPod(&pod);
      pod.process->Kill();
      pod.process.reset();
      ++faults->consumer_kills;
      return absl::OkStatus();
    case 3:
      if (pod.process == nullptr || pod.paused_until) return absl::OkStatus();
      pod.process->Signal(SIGSTOP);
      pod.paused_until =
          absl::Now() + kLease + absl::Milliseconds(static_cast<int64_t>(Draw(&random_, 2'500)));
      ++faults->pauses;
      return absl::OkStatus();
    case 4:
    case 5:
    case 6:
      return away_ ? Revive() : KillStore(faults);
    default:
      return away_ ? Revive() : Redrive(faults);
  }
}

absl::Status ConsumersRun::KillStore(ConsumerFaults* faults) {
  away_ = true;
  if (Draw(&random_, 6) == 0) {
    ++faults->drains;
    return bed_->Drain(&random_);
  }
  ++faults->kills;
  return bed_->Kill(&random_);
}

absl::Status ConsumersRun::Revive() {
  away_ = false;
  return bed_->Revive(&random_).status();
}

absl::Status ConsumersRun::Redrive(ConsumerFaults* faults) {
  v1::RedriveSessionEventsRequest request;
  request.set_subscription(kName);
  request.set_all(true);
  grpc::ClientContext context;
  Prepare(&context);
  v1::RedriveSessionEventsResponse response;
  const grpc::Status status = NewStub()->RedriveSessionEvents(&context, request, &response);
  if (!status.ok()) return Failed("RedriveSessionEvents", status);
  faults->redrives += static_cast<int>(response.redriven());
  return absl::OkStatus();
}

void ConsumersRun::WakePods(bool all) {
  for (Pod& pod : pods_) {
    if (!pod.paused_until || pod.process == nullptr) continue;
    if (all) absl::SleepFor(*pod.paused_until - absl::Now());  // not before its leases are over
    if (absl::Now() < *pod.paused_until) continue;
    pod.process->Signal(SIGCONT);
    pod.paused_until.reset();
  }
}

absl::Status ConsumersRun::WaitUntilSettled(SharedTruth* truth) {
  for (Pod& pod : pods_) {
    if (pod.process == nullptr) IPP_RETURN_IF_ERROR(StartPod(&pod));
  }
  WakePods(/*all=*/true);
  truth->lease = kLease;
  truth->max_attempts = kAttempts;
  const std::string gateway = bed_->grpc_addresses().front();
  std::string state = "webhooks are on their way";
  for (const absl::Time end = absl::Now() + kSettleLimit; absl::Now() < end;
       absl::SleepFor(absl::Milliseconds(100))) {
    if (control_->Undelivered().value_or(-1) != 0) continue;
    if (!Idle(&state)) continue;
    // What comes into the log later is not looked at yet; all of this is done if it is idle after.
    const Observation log = ListEvents(gateway, "the log");
    if (!log.complaints.empty()) return absl::UnavailableError(log.complaints.front());
    if (!Idle(&state)) continue;
    for (const SeenEventPtr& seen : log.events) {
      truth->log.push_back({seen->event.event_id(), seen->event.session_id()});
    }
    IPP_ASSIGN_OR_RETURN(truth->parked, Parked());
    return absl::OkStatus();
  }
  return absl::DeadlineExceededError("the subscription does not come to its end: " + state);
}

bool ConsumersRun::Idle(std::string* state) {
  v1::GetSharedSubscriptionRequest request;
  request.set_name(kName);
  grpc::ClientContext context;
  Prepare(&context);
  v1::GetSharedSubscriptionResponse response;
  const grpc::Status status = NewStub()->GetSharedSubscription(&context, request, &response);
  const v1::SharedSubscriptionCounts& counts = response.subscription().counts();
  *state = status.ok() ? counts.ShortDebugString() : status.error_message();
  return status.ok() && counts.backlog() + counts.out() + counts.held() == 0;
}

absl::StatusOr<std::vector<SharedTruth::ParkedEvent>> ConsumersRun::Parked() {
  std::vector<SharedTruth::ParkedEvent> parked;
  v1::ListParkedSessionEventsRequest request;
  request.set_subscription(kName);
  v1::ListParkedSessionEventsResponse page;
  do {
    request.set_page_token(page.next_page_token());
    grpc::ClientContext context;
    Prepare(&context);
    const grpc::Status status = NewStub()->ListParkedSessionEvents(&context, request, &page);
    if (!status.ok()) return Failed("ListParkedSessionEvents", status);
    for (const v1::ParkedSessionEvent& event : page.events()) {
      parked.push_back({event.event().event_id(), event.attempts()});
    }
  } while (!page.next_page_token().empty());
  return parked;
}

absl::StatusOr<ConsumerHistory> ConsumersRun::History() const {
  ConsumerHistory history;
  for (const Pod& pod : pods_) {
    std::string text = ReadFile(pod.journal);
    // A line may be on its way: what is after the last whole one is read next time.
    text.resize(text.rfind('\n') + 1);
    IPP_RETURN_IF_ERROR(ReadJournal(text, &history));
  }
  return history;
}

const std::string& ConsumersRun::Keep() {
  bed_->directory().Keep();
  return bed_->directory().path();
}

std::vector<std::string> ConsumersRun::Finish() {
  std::vector<std::string> wrong;
  const auto at_least = [&wrong](const char* what, int count, int least) {
    if (count >= least) return;
    wrong.push_back(absl::StrCat("only ", count, " ", what, ", not ", least, ": proves little"));
  };
  ConsumerFaults sum;
  for (const ConsumersReport& report : reports_) {
    sum.consumer_kills += report.faults.consumer_kills;
    sum.pauses += report.faults.pauses;
    sum.kills += report.faults.kills + report.faults.drains;
    sum.redrives += report.faults.redrives;
  }
  const int rounds = static_cast<int>(reports_.size());
  const ConsumerVerdict& last = reports_.back().verdict;
  at_least("killed consumers", sum.consumer_kills, rounds / 2);
  at_least("paused consumers", sum.pauses, rounds / 4);
  at_least("kills and drains", sum.kills, rounds / 2);
  at_least("events", reports_.back().events, rounds * options_.sessions);
  at_least("events delivered again", last.redelivered, rounds);
  at_least("repeated settlements", last.already_settled, rounds);
  at_least("redriven deliveries", last.redriven, rounds / 8);
  at_least("lost leases", last.lease_lost, rounds / 4);
  if (last.in_doubt > 4 + last.acknowledged / 20) {
    wrong.push_back(absl::StrCat(last.in_doubt, " events are in doubt"));
  }
  return wrong;
}

}  // namespace ipp::faults
