#include "tests/faults/restore_run.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "ippclient/error.h"
#include "kustom/ipp/v1/session_event.grpc.pb.h"
#include "server/base/status_macros.h"
#include "tests/faults/dialect_choice.h"
#include "tests/faults/fresh_channel.h"
#include "tests/faults/letter_case.h"
#include "tests/faults/listed_events.h"
#include "tests/faults/plan.h"
#include "tests/faults/steps.h"
#include "tests/faults/traffic_worker.h"

namespace ipp::faults {
namespace {

namespace fs = std::filesystem;
namespace v1 = kustom::ipp::v1;

constexpr absl::Duration kPlenty = absl::Seconds(60);
// While creates are held, sessions that the backup does not know must turn up: on a loaded machine
// that takes a while.
constexpr absl::Duration kSettle = absl::Seconds(8);
constexpr size_t kAtATime = 12;   // creates before the backup, and as many after it
constexpr int kCursorsRead = 12;  // of the lost ones of earlier rounds, each round

// The same event, although cursors say in which epoch of the log they were given out.
bool Same(const SeenEventPtr& a, const SeenEventPtr& b) {
  v1::SessionEvent one = a->event;
  one.set_cursor(b->event.cursor());
  return one.SerializeAsString() == b->bytes;
}

absl::Status Wrong(const std::string& what) { return absl::InternalError(what); }

}  // namespace

absl::Status RestoreRun::Start() {
  IPP_ASSIGN_OR_RETURN(simulator_,
                       SimulatorProcess::Start(options_.simulator_program(), directory_));
  std::string store = absl::StrCat("{sqlite: {path: ", directory_.File("gateway.db"), "}}");
  if (options_.store == "postgres") {
    IPP_ASSIGN_OR_RETURN(database_, Database::Start(/*with_standby=*/false, directory_));
    store = database_->yaml();
  }
  gateway_ = std::make_unique<GatewayProcess>(
      GatewayProcess::Options{.program = options_.gateway_program(),
                              .name = "a",
                              .store = store,
                              .settle = absl::FormatDuration(kSettle)},
      *simulator_, directory_);
  IPP_RETURN_IF_ERROR(gateway_->Start());
  control_ = std::make_unique<SimulatorControl>(simulator_->port());
  caller_ = std::make_unique<Caller>(gateway_->grpc_address(), simulator_->merchants().front().id);
  return control_->SetReceivers({gateway_->webhook_url()});
}

const std::string& RestoreRun::Keep() {
  directory_.Keep();
  return directory_.path();
}

std::string RestoreRun::Summary() const {
  return absl::StrCat(rounds_, " restores, ", slow_rounds_,
                      " of them too slow to judge the creates: ", replayed_,
                      " creates answered again with their "
                      "session, ",
                      held_, " times after a hold; ", foreign_,
                      " times a lost cursor was foreign, ", resumed_, " times a kept one resumed");
}

absl::Status RestoreRun::Round() {
  earlier_.insert(earlier_.end(), creates_.begin(), creates_.end());
  creates_.clear();
  if (options_.dialect != "none") {
    IPP_RETURN_IF_ERROR(control_->SetDialect(DrawDialect(options_.dialect, &random_)));
  }
  IPP_RETURN_IF_ERROR(MakeCreates(kAtATime, /*in_backup=*/true));
  // Some end before the backup, some between it and the kill: that end is lost with the log.
  for (int i = 0; i < 4; ++i) IPP_RETURN_IF_ERROR(End(creates_[static_cast<size_t>(i)].session_id));
  IPP_RETURN_IF_ERROR(
      Until("webhooks are taken", [&] { return control_->Undelivered().value_or(-1) == 0; }));
  // Reads of sessions may still add events: what is in the log by now is in the backup.
  IPP_ASSIGN_OR_RETURN(kept_, Log());
  IPP_RETURN_IF_ERROR(BackUp());

  IPP_RETURN_IF_ERROR(MakeCreates(kAtATime, /*in_backup=*/false));
  for (int i = 4; i < 8; ++i) IPP_RETURN_IF_ERROR(End(creates_[static_cast<size_t>(i)].session_id));
  IPP_RETURN_IF_ERROR(
      Until("webhooks are taken", [&] { return control_->Undelivered().value_or(-1) == 0; }));
  IPP_ASSIGN_OR_RETURN(const std::vector<SeenEventPtr> before, Log());
  gateway_->Kill();
  for (const Create& create : creates_) {
    if (Draw(&random_, 3) == 0) control_->Step(create.session_id, "activate").IgnoreError();
  }
  IPP_RETURN_IF_ERROR(RestoreAndStart());
  IPP_RETURN_IF_ERROR(FindLost(before));
  absl::Status asked = CheckThatNewOnesAreHeld();
  if (asked.ok()) asked = AskAllAgain();
  // On a machine that is too slow the hold ends before all have been asked: nothing was promised.
  const bool held = absl::Now() - held_from_ < kSettle;
  if (held && !asked.ok()) return asked;
  if (!held) Forget();
  for (size_t i = 8; i < kAtATime; ++i) IPP_RETURN_IF_ERROR(End(creates_[i].session_id));
  if (!held) creates_.clear();
  IPP_RETURN_IF_ERROR(CheckSessions());
  IPP_RETURN_IF_ERROR(CheckCursors());
  // The next round's creates are new ones.
  IPP_RETURN_IF_ERROR(Until("creates are no longer held", [&] {
    const auto page = gateway_->Metrics();
    return page.ok() && page->find("\nipp_creates_held_until_seconds 0\n") != std::string::npos;
  }));
  // The log has grown past the lost cursors by now, or will in later rounds.
  IPP_RETURN_IF_ERROR(CheckCursors());
  ++rounds_;
  return absl::OkStatus();
}

void RestoreRun::Forget() {
  for (const Create& create : creates_) not_judged_.insert(create.request.merchant_reference1());
  ++slow_rounds_;
}

absl::Status RestoreRun::MakeCreates(size_t count, bool in_backup) {
  std::vector<std::unique_ptr<PendingCreate>> pending;
  const size_t first = creates_.size();
  for (size_t i = 0; i < count; ++i) {
    Create create;
    create.in_backup = in_backup;
    create.request =
        OrderOf(simulator_->merchants().front(),
                absl::StrCat("restore-", options_.seed, "-", rounds_, "-", creates_.size()));
    create.request.set_request_id(DrawUuid(&random_));
    pending.push_back(caller_->Create(create.request, kPlenty));
    creates_.push_back(std::move(create));
  }
  for (size_t i = 0; i < pending.size(); ++i) {
    const CallerAnswer answer = pending[i]->Answer();
    if (answer.error.code != grpc::StatusCode::OK) {
      return Wrong(
          absl::StrCat("a create failed: ", answer.error.reason, " ", answer.error.message));
    }
    creates_[first + i].session_id = answer.response.session().session_id();
  }
  return absl::OkStatus();
}

absl::Status RestoreRun::End(const std::string& session_id) {
  if (Draw(&random_, 3) == 0) return control_->Step(session_id, "expire");
  return EndWithWebhook(session_id);
}

absl::Status RestoreRun::EndWithWebhook(const std::string& session_id) {
  if (Draw(&random_, 2) == 0) return control_->Step(session_id, "clerk-cancel");
  return control_->Tap(simulator_->merchants().front(), session_id, "SUCCESS");
}

absl::Status RestoreRun::BackUp() {
  if (database_ != nullptr) {
    IPP_ASSIGN_OR_RETURN(backup_, database_->BackUp());
  } else {
    backup_ = directory_.File(absl::StrCat("backup-", rounds_, ".db"));
    IPP_RETURN_IF_ERROR(gateway_->RunTool({"--backup", backup_}));
  }
  return absl::OkStatus();
}

absl::Status RestoreRun::FindLost(const std::vector<SeenEventPtr>& before) {
  IPP_ASSIGN_OR_RETURN(const std::vector<SeenEventPtr> log, Log());
  size_t common = 0;
  while (common < before.size() && common < log.size() && Same(before[common], log[common])) {
    ++common;
  }
  for (size_t i = common; i < before.size(); ++i) lost_.insert(before[i]->event.cursor());
  // The session of each create after the backup has been announced.
  return before.size() - common >= kAtATime ? absl::OkStatus()
                                            : Wrong("the restore has lost no events");
}

absl::Status RestoreRun::RestoreAndStart() {
  if (database_ != nullptr) {
    IPP_RETURN_IF_ERROR(database_->Restore(backup_));
  } else {
    const std::string live = directory_.File("gateway.db");
    for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(live + suffix);
    std::error_code error;
    fs::copy_file(backup_, live, error);
    if (error) return Wrong(absl::StrCat("cannot restore ", backup_, ": ", error.message()));
  }
  held_from_ = absl::Now();
  return gateway_->Start("--restored");
}

absl::Status RestoreRun::CheckThatNewOnesAreHeld() {
  v1::CreateSessionRequest request =
      OrderOf(simulator_->merchants().front(), absl::StrCat("held-", options_.seed, "-", rounds_));
  request.set_request_id(DrawUuid(&random_));
  const CallerAnswer answer = caller_->Create(request, kPlenty)->Answer();
  if (answer.error.reason != "RESTORED_HOLDING" || answer.error.retry_safe != true ||
      !answer.error.retry_delay.has_value()) {
    return Wrong(absl::StrCat(
        "a create under an id that may have been sent before the restore was "
        "answered ",
        client::CodeName(answer.error.code), " ", answer.error.reason, " ", answer.error.message));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> RestoreRun::AskAgain(const Create& create) {
  v1::CreateSessionRequest request = create.request;
  request.set_request_id(Respell(create.request.request_id(), &random_));
  const CallerAnswer answer = caller_->Create(request, kPlenty)->Answer();
  if (answer.error.code == grpc::StatusCode::OK) {
    if (answer.response.session().session_id() != create.session_id) {
      return Wrong(absl::StrCat("CHARGED TWICE: ", create.request.request_id(), " had made ",
                                create.session_id, ", asked again it was answered with ",
                                answer.response.session().session_id()));
    }
    return true;
  }
  if (answer.error.reason == "RESTORED_HOLDING" && answer.error.retry_safe == true) return false;
  return Wrong(absl::StrCat("a create that was asked again was answered ",
                            client::CodeName(answer.error.code), " ", answer.error.reason, " ",
                            answer.error.message));
}

absl::Status RestoreRun::AskAllAgain() {
  // What the backup knows is answered at once; of the others, those of which a webhook has come.
  std::vector<const Create*> lost;
  for (const Create& create : creates_) {
    IPP_ASSIGN_OR_RETURN(const bool answered, AskAgain(create));
    ++replayed_;
    if (answered) continue;
    if (create.in_backup) {
      return Wrong(absl::StrCat("held, although the backup knows it: ", create.session_id));
    }
    --replayed_;
    lost.push_back(&create);
  }
  // What it does not know turns up when something happens to the session.
  for (const Create* create : lost) IPP_RETURN_IF_ERROR(EndWithWebhook(create->session_id));
  for (const Create* create : lost) {
    bool answered = false;
    absl::Status failed;
    IPP_RETURN_IF_ERROR(Until(absl::StrCat(create->session_id, " turns up"), [&] {
      const absl::StatusOr<bool> again = AskAgain(*create);
      if (!again.ok()) failed = again.status();
      answered = again.ok() && *again;
      return answered || !failed.ok();
    }));
    IPP_RETURN_IF_ERROR(failed);
    ++replayed_;
    ++held_;
  }
  for (int i = 0; i < kCursorsRead && !earlier_.empty(); ++i) {
    IPP_ASSIGN_OR_RETURN(const bool answered, AskAgain(earlier_[Draw(&random_, earlier_.size())]));
    if (!answered) return Wrong("a create of an earlier round is held");
    ++replayed_;
  }
  return absl::OkStatus();
}

absl::Status RestoreRun::CheckSessions() {
  std::string finding;
  const absl::Status settled = Until("each session has the events that it must have", [&] {
    finding.clear();
    const auto reading = control_->Read();
    const auto log = Log();
    if (!reading.ok() || !log.ok()) {
      finding = absl::StrCat(reading.status().ToString(), log.status().ToString());
      return false;
    }
    std::map<std::string, std::vector<v1::SessionStatus>> ends;
    for (const SeenEventPtr& seen : *log) {
      if (!IsTerminal(seen->event.type())) continue;
      ends[seen->event.session_id()].push_back(StatusAfter(seen->event.type()));
    }
    std::map<std::string, int> made;
    for (const auto& [id, session] : reading->truth.sessions) {
      const int times = ++made[session.reference];
      if (times > 1 && !not_judged_.contains(session.reference))
        finding = absl::StrCat(session.reference, " has ", times, " sessions");
      const size_t wanted = IsFinal(session.status) ? 1 : 0;
      const std::vector<v1::SessionStatus>& seen = ends[id];
      if (seen.size() != wanted || (wanted == 1 && seen[0] != session.status)) {
        finding = absl::StrCat(id, " (", session.reference, ") is ", Name(session.status),
                               " and has ", seen.size(), " terminal events");
      }
    }
    return finding.empty();
  });
  return settled.ok() ? settled : Wrong(absl::StrCat(settled.message(), ": ", finding));
}

absl::Status RestoreRun::CheckCursors() {
  std::vector<std::string> lost(lost_.begin(), lost_.end());
  std::shuffle(lost.begin(), lost.end(), random_);
  lost.resize(std::min<size_t>(lost.size(), 2 * kCursorsRead));
  for (const std::string& cursor : lost) {
    std::string reason;
    std::vector<std::string> next;
    IPP_RETURN_IF_ERROR(Resume(cursor, &reason, &next));
    if (reason != "CURSOR_FOREIGN") {
      return Wrong(absl::StrCat("events were skipped: a cursor of the log that was lost, ", cursor,
                                ", was answered ", reason.empty() ? "with events" : reason));
    }
    ++foreign_;
  }
  IPP_ASSIGN_OR_RETURN(const std::vector<SeenEventPtr> log, Log());
  for (int i = 0; i < 4 && kept_.size() > 1; ++i) {
    // Not the last: that the log goes on behind it is not certain.
    const size_t at = Draw(&random_, kept_.size() - 1);
    if (log.size() <= at + 1 || !Same(log[at], kept_[at])) {
      return Wrong(absl::StrCat("the restored log differs from the backup at event ", at));
    }
    std::string reason;
    std::vector<std::string> next;
    IPP_RETURN_IF_ERROR(Resume(kept_[at]->event.cursor(), &reason, &next));
    if (!reason.empty() || next.empty() || next[0] != log[at + 1]->event.event_id()) {
      return Wrong(absl::StrCat("a cursor that the backup holds did not resume: ", reason));
    }
    ++resumed_;
  }
  return absl::OkStatus();
}

absl::Status RestoreRun::Resume(const std::string& cursor, std::string* reason,
                                std::vector<std::string>* next_events) {
  const auto stub = v1::SessionEventService::NewStub(FreshChannel(gateway_->grpc_address()));
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kPlenty));
  v1::SubscribeSessionEventsRequest request;
  request.set_after_cursor(cursor);
  const auto stream = stub->SubscribeSessionEvents(&context, request);
  v1::SubscribeSessionEventsResponse message;
  bool goes_on = false;
  while (stream->Read(&message)) {
    if (message.has_event()) next_events->push_back(message.event().event_id());
    goes_on = message.has_event() || message.has_heartbeat();
    if (goes_on) break;
  }
  // A stream that has ended by itself is not cancelled: its status would be lost.
  if (goes_on) context.TryCancel();
  const grpc::Status status = stream->Finish();
  if (goes_on) return absl::OkStatus();
  *reason = client::DecodeError(status).reason;
  return reason->empty() ? Wrong(absl::StrCat("SubscribeSessionEvents: ", status.error_message()))
                         : absl::OkStatus();
}

absl::StatusOr<std::vector<SeenEventPtr>> RestoreRun::Log() {
  Observation seen = ListEvents(gateway_->grpc_address(), "ListSessionEvents");
  if (!seen.complaints.empty()) return Wrong(seen.complaints.front());
  return std::move(seen.events);
}

absl::Status RestoreRun::Until(const std::string& what, absl::FunctionRef<bool()> is_so) {
  const absl::Time deadline = absl::Now() + kPlenty;
  Changes changes;
  while (!is_so()) {
    if (absl::Now() > deadline) return absl::DeadlineExceededError(absl::StrCat("until ", what));
    if (!gateway_->Running()) {
      return Wrong(absl::StrCat("the gateway has ended; its log ends with:\n",
                                LastLines(gateway_->log(), 10)));
    }
    changes.WaitBeyond(changes.count(), std::chrono::milliseconds(20));
  }
  return absl::OkStatus();
}

}  // namespace ipp::faults
