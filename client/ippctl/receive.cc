#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/ippctl/event_log.h"
#include "client/ippctl/fields.h"
#include "client/ippctl/handler_process.h"
#include "client/ippctl/history_commands.h"
#include "client/ippctl/pause.h"
#include "kustom/ipp/v1/shared_subscription.grpc.pb.h"
#include "server/base/protobuf_time.h"

// `events receive`: the events of a shared subscription, one after another, to the screen or to a
// command, whose exit code decides.
namespace ipp::ippctl {
namespace {

namespace v1 = ::kustom::ipp::v1;
using Service = v1::SharedSubscriptionService;

// Source: sysexits.h, EX_DATAERR: the input was wrong.
constexpr int kParkExitCode = 65;

// How often it is looked whether the user wants to end.
constexpr absl::Duration kLook = absl::Milliseconds(200);

// Receives until the user ends it, the limit is reached, or an error is final.
class Receive {
 public:
  explicit Receive(Invocation* invocation)
      : invocation_(*invocation),
        name_(invocation->flags().Text("subscription")),
        left_(invocation->flags().Has("limit") ? invocation->flags().Integer("limit") : -1) {}

  int Run() {
    const OnInterrupt stop(invocation_.interrupt(), [this] { Stop(); });
    Backoff backoff(absl::Milliseconds(250), absl::Seconds(10));
    while (true) {
      const grpc::Status status = OneStream(&backoff);
      if (result_) return *result_;
      if (pause_.stopped()) return kExitOk;
      const bool passing = status.ok() || status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                           status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED;
      if (!passing) return invocation_.Fail(status);
      const absl::Duration again = backoff.Next();
      invocation_.err() << DescribeReconnect(invocation_, status, again);
      if (!pause_.For(again)) return kExitOk;
    }
  }

 private:
  void Stop() {
    pause_.Stop();
    MutexLock lock(&mutex_);
    if (context_ != nullptr) context_->TryCancel();
  }

  grpc::Status OneStream(Backoff* backoff) {
    v1::ReceiveSessionEventsRequest request;
    request.set_subscription(name_);
    request.set_max_in_flight(1);
    request.set_consumer(invocation_.flags().Text("consumer"));
    if (invocation_.flags().Has("skip-expired")) {
      request.set_on_cursor_expired(v1::CURSOR_EXPIRED_POLICY_SKIP_TO_OLDEST);
    }
    grpc::ClientContext context;
    {
      MutexLock lock(&mutex_);
      context_ = &context;
    }
    const auto stub = Service::NewStub(invocation_.channel());
    const auto reader = stub->ReceiveSessionEvents(&context, request);
    v1::ReceiveSessionEventsResponse message;
    while (!pause_.stopped() && !result_ && reader->Read(&message)) {
      if (message.has_started()) Started(message.started(), backoff);
      if (message.has_leased()) Handle(message.leased());
    }
    if (pause_.stopped() || result_) context.TryCancel();
    grpc::Status status = reader->Finish();
    MutexLock lock(&mutex_);
    context_ = nullptr;
    return status;
  }

  void Started(const v1::ReceiveStarted& started, Backoff* backoff) {
    backoff->Reset();
    lease_ = FromDuration(started.subscription().lease());
    if (started.skipped()) invocation_.Note("events were removed before they were delivered");
    if (!std::exchange(said_ready_, true)) {
      invocation_.Note("ready, waiting for events; Ctrl-C ends it");
    }
  }

  void Handle(const v1::LeasedSessionEvent& leased) {
    v1::Settlement settlement;
    settlement.set_lease(leased.lease());
    if (!invocation_.flags().Has("exec")) {
      invocation_.ShowNext(
          leased.event(),
          RenderLine(EventColumns(), leased.event(), invocation_.wide(), invocation_.look()),
          leased.event().event_id());
      // What could not be printed was not handled.
      if (!invocation_.out()) {
        settlement.mutable_release();
        result_ = kExitOther;
      } else {
        settlement.mutable_acknowledge();
      }
    } else if (!Execute(leased, &settlement)) {
      settlement.mutable_release();
    }
    Settle(settlement);
    if (left_ > 0 && --left_ == 0 && !result_) result_ = kExitOk;
  }

  // False: the user ends it before the command has ended.
  bool Execute(const v1::LeasedSessionEvent& leased, v1::Settlement* settlement) {
    const v1::SessionEvent& event = leased.event();
    absl::StatusOr<HandlerProcess> process = HandlerProcess::Start(
        invocation_.flags().Text("exec"), invocation_.Masked(event) + "\n",
        {{"IPP_EVENT_ID", event.event_id()},
         {"IPP_EVENT_TYPE", EnumText(v1::SessionEventType_descriptor(), event.type())},
         {"IPP_SESSION_ID", event.session_id()},
         {"IPP_ATTEMPT", absl::StrCat(leased.attempt())}});
    if (!process.ok()) {
      invocation_.Note(process.status().message());
      settlement->mutable_retry()->set_reason(std::string(process.status().message()));
      return true;
    }
    absl::Time extend_at = absl::Now() + lease_ / 2;
    while (!process->WaitFor(kLook)) {
      if (pause_.stopped()) return false;
      if (absl::Now() < extend_at) continue;
      v1::Settlement more;
      more.set_lease(leased.lease());
      *more.mutable_extend()->mutable_by() = ToDuration(lease_);
      Settle(more);
      extend_at = absl::Now() + lease_ / 2;
    }
    const int code = process->exit_code();
    const std::string reason = absl::StrCat("exit code ", code);
    if (code == 0) {
      settlement->mutable_acknowledge();
    } else if (code == kParkExitCode) {
      settlement->mutable_park()->set_reason(reason);
    } else {
      settlement->mutable_retry()->set_reason(reason);
    }
    return true;
  }

  // Tried again while the gateway cannot be reached: settling twice is the same as once. The lease
  // expires when it never can.
  void Settle(const v1::Settlement& settlement) {
    v1::SettleSessionEventsRequest request;
    request.set_subscription(name_);
    *request.add_settlements() = settlement;
    Backoff backoff(absl::Milliseconds(250), absl::Seconds(5));
    for (int tries = 0; tries < 5; ++tries) {
      v1::SettleSessionEventsResponse response;
      const grpc::Status status =
          invocation_.Last<Service>(&Service::Stub::SettleSessionEvents, request, &response);
      if (status.ok()) {
        if (response.results_size() == 1 &&
            response.results(0).outcome() == v1::SETTLEMENT_OUTCOME_LEASE_LOST) {
          invocation_.Note("the lease was lost: another consumer has the event, or had it");
        }
        return;
      }
      if (status.error_code() != grpc::StatusCode::UNAVAILABLE &&
          status.error_code() != grpc::StatusCode::DEADLINE_EXCEEDED) {
        result_ = invocation_.Fail(status);
        return;
      }
      if (!pause_.For(backoff.Next())) return;
    }
    invocation_.Note("an event could not be settled; it comes again when its lease has expired");
  }

  Invocation& invocation_;
  const std::string name_;
  int64_t left_;  // less than 0: no limit
  absl::Duration lease_ = absl::Seconds(30);
  bool said_ready_ = false;
  std::optional<int> result_;  // set: the command ends with this
  Pause pause_;
  Mutex mutex_;
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace

Command ReceiveCommand() {
  return {.group = "events",
          .name = "receive",
          .summary = "Receive the events of a shared subscription, one after another",
          .flags = {{.name = "subscription",
                     .value = "NAME",
                     .help = "the shared subscription; see `ippctl subscriptions create`",
                     .required = true},
                    {.name = "exec",
                     .value = "COMMAND",
                     .help = "a shell command that handles one event, which it reads from standard "
                             "input as JSON"},
                    {.name = "consumer",
                     .value = "NAME",
                     .help = "who receives, for people",
                     .fallback = "ippctl"},
                    {.name = "skip-expired",
                     .kind = FlagKind::kSwitch,
                     .help = "go on with what is kept when undelivered events were removed"},
                    LimitFlag("")},
          .details =
              "An event is acknowledged once it was printed, or when the command ends with "
              "exit code 0. With 65 it is parked for people; with any other it is delivered "
              "again after a pause, and parked after the last attempt. The command has "
              "IPP_EVENT_ID, IPP_EVENT_TYPE, IPP_SESSION_ID and IPP_ATTEMPT in its "
              "environment. Its lease is extended while it runs. Ctrl-C ends it and gives "
              "the event back.",
          .examples = {"ippctl events receive --subscription orders --limit 10",
                       "ippctl events receive --subscription orders --exec './deliver-order'"},
          .run = [](Invocation& invocation) { return Receive(&invocation).Run(); },
          .kind = "event",
          .columns = EventColumns()};
}

}  // namespace ipp::ippctl
