#include "tests/faults/creates/create_round.h"

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/base/status_macros.h"
#include "tests/faults/creates/verdict.h"
#include "tests/faults/letter_case.h"
#include "tests/faults/metrics_check.h"
#include "tests/support/web_client.h"

namespace ipp::faults {
namespace {

namespace v1 = kustom::ipp::v1;

// What must come comes within it, also on a loaded machine.
constexpr absl::Duration kLimit = absl::Seconds(15);
// For answers that come at once, or when the deadline passes.
constexpr absl::Duration kUnknownAgain = absl::Milliseconds(500);
// How long a create without a waiting caller may take to be begun: less than the gateway looks at
// it.
constexpr absl::Duration kBegun = absl::Milliseconds(100);

// Between two looks, a little longer each time.
class Pauses {
 public:
  void Pause() {
    absl::SleepFor(next_);
    next_ = std::min(next_ * 1.5, absl::Milliseconds(40));
  }
  absl::Duration elapsed() const { return absl::Now() - begin_; }

 private:
  const absl::Time begin_ = absl::Now();
  absl::Duration next_ = absl::Milliseconds(3);
};

class Round {
 public:
  Round(CreateBed* bed, const Cell& cell)
      : bed_(*bed),
        upstream_(bed->upstream()),
        random_(cell.seed * 4096 + static_cast<uint64_t>(cell.round)) {
    record_.cell = cell;
    record_.sent = RequestOf(cell, bed->device_id());
    record_.request_id = record_.sent.request_id();
    record_.orphans_found_late = !bed->exclusive();
  }

  absl::StatusOr<RoundRecord> Run() {
    IPP_RETURN_IF_ERROR(Prepare());
    IPP_RETURN_IF_ERROR(Call());
    IPP_RETURN_IF_ERROR(LookOn());
    LetAStepPass();
    IPP_RETURN_IF_ERROR(TryAgain());
    IPP_RETURN_IF_ERROR(FollowSession());
    Remember();
    IPP_RETURN_IF_ERROR(LeavePortOpen());
    return std::move(record_);
  }

 private:
  const Cell& cell() const { return record_.cell; }
  // The gateways' clocks are right as long as it lives.
  std::unique_ptr<HeldClocks> HoldClocks() { return HeldClocks::If(bed_.clocks()); }
  std::string Spelled(const std::string& id) { return Respell(id, &random_); }
  // The same request, with its ids in any letter case.
  v1::CreateSessionRequest Spelled(v1::CreateSessionRequest request) {
    request.set_request_id(Spelled(request.request_id()));
    request.set_device_id(Spelled(request.device_id()));
    return request;
  }
  Caller& caller() { return bed_.caller(cell().http2); }
  Caller& elsewhere() { return bed_.caller(bed_.shared() ? !cell().http2 : cell().http2); }

  absl::Status Prepare() {
    const auto held = HoldClocks();
    IPP_RETURN_IF_ERROR(upstream_.ClearRules());
    IPP_RETURN_IF_ERROR(bed_.SendWebhooksTo(cell().http2));
    IPP_RETURN_IF_ERROR(cell().reused ? caller().Warm() : upstream_.CloseConnections());
    IPP_RETURN_IF_ERROR(upstream_.SetRules(cell().rules));
    // Until it is reset.
    if (cell().knock) WebClient(bed_.upstream_port(cell().http2)).Receive();
    return absl::OkStatus();
  }

  absl::Status Call() {
    const absl::Duration deadline =
        cell().patience == Patience::kCancels ? absl::Seconds(10) : cell().time;
    auto first = caller().Create(Spelled(record_.sent), deadline);
    if (cell().meanwhile == Meanwhile::kKill) {
      first->Wait(cell().meanwhile_at);
      bed_.gateway(cell().http2).Kill();
      record_.first = first->Answer();
      first.reset();
      if (bed_.shared() && !record_.request_id.empty()) {
        record_.elsewhere = elsewhere().Create(Spelled(record_.sent), absl::Seconds(1))->Answer();
      }
      return bed_.Restart(cell().http2);
    }
    if (cell().meanwhile == Meanwhile::kJoin) {
      first->Wait(cell().meanwhile_at);
      record_.elsewhere = elsewhere().Create(Spelled(record_.sent), cell().time)->Answer();
    }
    // As the request comes: the old trap of a connection that is closed when it is used again.
    if (cell().close_unused && !first->Wait(cell().close_at)) {
      IPP_RETURN_IF_ERROR(upstream_.CloseConnections());
    }
    if (cell().patience == Patience::kCancels && !first->Wait(cell().time)) first->Cancel();
    record_.first = first->Answer();
    return absl::OkStatus();
  }

  // The id that the caller got; or, if it had gone, one that no caller knows.
  absl::Status LearnId() {
    if (record_.request_id.empty()) record_.request_id = record_.first.trailer_id;
    if (record_.request_id.empty()) record_.request_id = record_.first.error.request_id;
    for (Pauses pauses; record_.request_id.empty(); pauses.Pause()) {
      const bool in_vain = pauses.elapsed() > kBegun && NobodyCreates();
      IPP_ASSIGN_OR_RETURN(const auto outcomes, caller().Outcomes(10));
      for (const v1::CreateOutcome& outcome : outcomes) {
        if (bed_.used_ids().count(outcome.request_id()) == 0) {
          record_.request_id = outcome.request_id();
        }
      }
      if (in_vain || pauses.elapsed() > kLimit) break;
    }
    bed_.used_ids().insert(record_.request_id);
    return absl::OkStatus();
  }

  // As far as the gateway has heard of it.
  bool NobodyCreates() {
    const auto metrics = bed_.gateway(cell().http2).Metrics();
    if (!metrics.ok()) return false;
    const std::vector<std::string> method = {R"(grpc_method="CreateSession")"};
    return SumOf(*metrics, "grpc_server_started_total", method) ==
           SumOf(*metrics, "grpc_server_handled_total", method);
  }

  absl::StatusOr<ToldOutcome> Told() {
    if (record_.request_id.empty()) return ToldOutcome{};
    return caller().Outcome(Spelled(record_.request_id));
  }

  // A request that waits in the upstream is executed later, even if its sender has gone.
  static bool StandsStill(const TruthOfCreate& truth) {
    return std::none_of(truth.reads.begin(), truth.reads.end(), [](const ReadRequest& read) {
      return read.fault == "delay" && !read.executed;
    });
  }

  // What is asked for, and what heals, is so with right clocks.
  absl::Status LookOn() {
    const auto held = HoldClocks();
    IPP_RETURN_IF_ERROR(StandStill());
    return Settle();
  }

  // In half of the rounds a wrong clock comes and goes before anybody tries again; else it may be
  // wrong then.
  void LetAStepPass() {
    if (bed_.clocks() == nullptr || cell().round % 2 == 0) return;
    bed_.clocks()->WaitForSteps(bed_.clocks()->steps() + 1);
  }

  absl::Status StandStill() {
    IPP_RETURN_IF_ERROR(LearnId());
    const bool orphan = record_.orphans_found_late && cell().meanwhile == Meanwhile::kKill;
    for (Pauses pauses;; pauses.Pause()) {
      const bool in_vain = pauses.elapsed() > kBegun && NobodyCreates();
      IPP_ASSIGN_OR_RETURN(record_.told, Told());
      IPP_ASSIGN_OR_RETURN(record_.truth, upstream_.Of(record_.sent.merchant_reference1()));
      const bool begun = record_.told.known || in_vain;
      const bool under_way = record_.told.state() == v1::CREATE_STATE_UNDER_WAY;
      const bool ended = !under_way || (orphan && pauses.elapsed() > 2 * kBegun);
      if (begun && ended && StandsStill(record_.truth)) break;
      if (pauses.elapsed() > kLimit) break;
    }
    if (!record_.truth.reads.empty()) {
      IPP_ASSIGN_OR_RETURN(record_.was_reused, upstream_.WasUsedBefore(record_.truth.reads[0]));
    }
    record_.killed_under_way =
        cell().meanwhile == Meanwhile::kKill && record_.first.gone && !record_.truth.reads.empty();
    return absl::OkStatus();
  }

  bool ComesTrue() const {
    return record_.truth.sessions.size() == 1 && CanSettle(record_) &&
           record_.settled.state() != v1::CREATE_STATE_EXECUTED;
  }

  absl::Status Settle() {
    record_.settled = record_.told;
    if (cell().named_late && ComesTrue()) {
      const std::string& id = record_.truth.sessions[0].session_id;
      IPP_RETURN_IF_ERROR(cell().named_by_tap ? Pay(id) : upstream_.Activate(id));
    }
    for (Pauses pauses; ComesTrue() && pauses.elapsed() < kLimit; pauses.Pause()) {
      IPP_ASSIGN_OR_RETURN(record_.settled, Told());
    }
    // It may have been settled since then, also where that was not asked for.
    IPP_ASSIGN_OR_RETURN(record_.settled, Told());
    IPP_ASSIGN_OR_RETURN(const auto outcomes, caller().Outcomes(30));
    for (const v1::CreateOutcome& outcome : outcomes) {
      if (outcome.request_id() == record_.request_id) record_.listed = {true, outcome};
    }
    IPP_ASSIGN_OR_RETURN(const bool struck, upstream_.AllStruck());
    record_.struck = struck || cell().close_unused;
    return upstream_.ClearRules();
  }

  // A word of the gateway: a machine that is busy may need more time than the deadline leaves it.
  CallerAnswer Ask(Caller& caller, const v1::CreateSessionRequest& request,
                   absl::Duration deadline) {
    CallerAnswer answer;
    for (int attempt = 0; attempt < 3; ++attempt, deadline *= 3) {
      answer = caller.Create(Spelled(request), deadline)->Answer();
      // A clock that steps ends it too.
      const bool in_vain = cell().clock_steps && answer.error.reason == "DEADLINE_EXCEEDED" &&
                           answer.error.outcome == Outcome::kNotSent;
      if (!answer.gone && !in_vain) break;
    }
    return answer;
  }

  absl::Status TryAgain() {
    const v1::CreateState state = record_.settled.state();
    const bool unknown = state == v1::CREATE_STATE_UNKNOWN || state == v1::CREATE_STATE_UNDER_WAY;
    const std::string& reference = record_.sent.merchant_reference1();
    // What was closed is not to meet the retry as well; a read finds out, however often it has to.
    if (cell().close_unused) {
      const auto held = HoldClocks();
      IPP_RETURN_IF_ERROR(caller().Warm());
      IPP_RETURN_IF_ERROR(elsewhere().Warm());
    }
    if (!record_.request_id.empty()) {
      v1::CreateSessionRequest again = record_.sent;
      again.set_request_id(record_.request_id);
      record_.retry = Ask(cell().round % 2 == 0 ? elsewhere() : caller(), again,
                          unknown ? kUnknownAgain : kLimit);
      IPP_ASSIGN_OR_RETURN(record_.truth_after_retry, upstream_.Of(reference));
      again.set_order_amount(again.order_amount() + 1);
      again.mutable_order_items(0)->set_unit_price(again.order_amount());
      again.mutable_order_items(0)->set_total_amount(again.order_amount());
      record_.other = Ask(caller(), again, kLimit);
    }
    const auto held = HoldClocks();
    IPP_ASSIGN_OR_RETURN(record_.truth_at_end, upstream_.Of(reference));
    IPP_ASSIGN_OR_RETURN(record_.told_at_end, Told());
    return absl::OkStatus();
  }

  absl::Status Pay(const std::string& session_id) {
    if (std::exchange(paid_, true)) return absl::OkStatus();
    return upstream_.Pay(session_id);
  }

  absl::Status FollowSession() {
    const auto held = HoldClocks();
    if (record_.truth_at_end.sessions.size() != 1) return bed_.Check();
    const std::string id = record_.truth_at_end.sessions[0].session_id;
    // The end that overtakes the beginning is another story.
    for (Pauses pauses; !cell().named_late && pauses.elapsed() < kLimit; pauses.Pause()) {
      IPP_ASSIGN_OR_RETURN(const auto events, caller().List(Spelled(id), begin_));
      if (!events.empty()) break;
    }
    IPP_RETURN_IF_ERROR(Pay(id));
    record_.events = elsewhere().Follow(Spelled(id), begin_, kLimit);
    if (record_.told_at_end.state() == v1::CREATE_STATE_EXECUTED) {
      record_.watched = true;
      record_.watch_ended_ok =
          caller().Watch(Spelled(record_.request_id), kLimit, &record_.watch_last);
    }
    IPP_ASSIGN_OR_RETURN(record_.read_back, caller().Read(Spelled(id)));
    IPP_ASSIGN_OR_RETURN(const auto listed, ListWhole(id));
    record_.events_listed_alike =
        listed.size() >= record_.events.size() &&
        std::equal(record_.events.begin(), record_.events.end(), listed.begin(),
                   [](const auto& a, const auto& b) {
                     return a.SerializeAsString() == b.SerializeAsString();
                   });
    // What comes after the end: details, or something that the verdict will not like.
    record_.events = listed;
    IPP_ASSIGN_OR_RETURN(record_.truth_at_end, upstream_.Of(record_.sent.merchant_reference1()));
    IPP_ASSIGN_OR_RETURN(record_.told_at_end, Told());
    return bed_.Check();
  }

  // Once it names the create, if an event is to say so: details may come a moment after the end.
  absl::StatusOr<std::vector<v1::SessionEvent>> ListWhole(const std::string& session_id) {
    const bool to_be_told = record_.told_at_end.state() == v1::CREATE_STATE_EXECUTED;
    for (Pauses pauses;; pauses.Pause()) {
      IPP_ASSIGN_OR_RETURN(auto events, caller().List(Spelled(session_id), begin_));
      const bool told = std::any_of(events.begin(), events.end(), [&](const auto& event) {
        return event.request_id() == record_.request_id;
      });
      if (told || !to_be_told || pauses.elapsed() > kLimit) return events;
    }
  }

  // For the end of the run.
  void Remember() {
    if (!record_.told_at_end.known) return;
    if (record_.told_at_end.state() == v1::CREATE_STATE_UNDER_WAY) return;
    bed_.remembered().emplace_back(cell().http2, record_.told_at_end.outcome);
  }

  // For the round that comes.
  absl::Status LeavePortOpen() {
    if (!cell().knock) return absl::OkStatus();
    for (Pauses pauses; pauses.elapsed() < kLimit; pauses.Pause()) {
      if (WebClient(bed_.upstream_port(cell().http2)).connected()) return absl::OkStatus();
    }
    return absl::InternalError("the simulator's port stays closed");
  }

  CreateBed& bed_;
  UpstreamTruth& upstream_;
  std::mt19937_64 random_;
  // A little earlier: clocks of events count in other grains. Long before where they step.
  const absl::Time begin_ =
      absl::Now() - (bed_.clocks() == nullptr ? absl::Seconds(1) : absl::Hours(24 * 500));
  RoundRecord record_;
  bool paid_ = false;
};

}  // namespace

absl::StatusOr<RoundRecord> RunRound(CreateBed* bed, const Cell& cell) {
  return Round(bed, cell).Run();
}

}  // namespace ipp::faults
