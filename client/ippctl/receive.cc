#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/ippctl/event_log.h"
#include "client/ippctl/fields.h"
#include "client/ippctl/handler_process.h"
#include "client/ippctl/history_commands.h"
#include "client/ippctl/pause.h"
#include "ippclient/consumer.h"
#include "kustom/ipp/v1/shared_subscription.pb.h"

// `events receive`: the events of a shared subscription, one after another, to the screen or to a
// command, whose exit code decides.
namespace ipp::ippctl {
namespace {

namespace v1 = ::kustom::ipp::v1;

// Source: sysexits.h, EX_DATAERR: the input was wrong.
constexpr int kParkExitCode = 65;

// How often it is looked whether the user wants to end.
constexpr absl::Duration kLook = absl::Milliseconds(200);
// What was handled when the user ends it is settled within this time, or comes again.
constexpr absl::Duration kLastWords = absl::Seconds(5);

// Receives until the user ends it, the limit is reached, or an error is final.
class Receive {
 public:
  explicit Receive(Invocation* invocation)
      : invocation_(*invocation),
        left_(invocation->flags().Has("limit") ? invocation->flags().Integer("limit") : -1),
        consumer_(invocation->channel(), Options()) {}

  int Run() {
    const OnInterrupt stop(invocation_.interrupt(), [this] {
      pause_.Stop();
      consumer_.Cancel();
    });
    const grpc::Status status =
        consumer_.Run([this](client::Delivery& delivery) { return Handle(delivery); });
    if (result_) return *result_;
    return status.ok() ? kExitOk : invocation_.Fail(status);
  }

 private:
  client::ConsumerOptions Options() {
    client::ConsumerOptions options;
    options.subscription.set_name(invocation_.flags().Text("subscription"));
    options.max_in_flight = 1;
    options.consumer = invocation_.flags().Text("consumer");
    options.skip_expired = invocation_.flags().Has("skip-expired");
    options.stop_timeout = kLastWords;
    options.max_backoff = absl::Seconds(10);
    options.on_started = [this](const v1::ReceiveStarted& started) { Started(started); };
    options.on_disconnected = [this](const grpc::Status& status, absl::Duration retry_in) {
      MutexLock lock(&speaking_);
      invocation_.err() << DescribeReconnect(invocation_, status, retry_in);
    };
    options.on_lease_lost = [this](const client::Delivery&) {
      Note("the lease was lost: another consumer has the event, or had it");
    };
    return options;
  }

  void Started(const v1::ReceiveStarted& started) {
    if (started.skipped()) Note("events were removed before they were delivered");
    if (!std::exchange(said_ready_, true)) Note("ready, waiting for events; Ctrl-C ends it");
  }

  client::Handled Handle(client::Delivery& delivery) {
    client::Handled handled =
        invocation_.flags().Has("exec") ? Execute(delivery) : Print(delivery.event());
    if (left_ > 0 && --left_ == 0) consumer_.Cancel();
    return handled;
  }

  client::Handled Print(const v1::SessionEvent& event) {
    MutexLock lock(&speaking_);
    invocation_.ShowNext(event,
                         RenderLine(EventColumns(), event, invocation_.wide(), invocation_.look()),
                         event.event_id());
    if (invocation_.out()) return client::Handled::Acknowledge();
    // What could not be printed was not handled.
    result_ = kExitOther;
    consumer_.Cancel();
    return client::Handled::Release();
  }

  client::Handled Execute(const client::Delivery& delivery) {
    const v1::SessionEvent& event = delivery.event();
    absl::StatusOr<HandlerProcess> process = HandlerProcess::Start(
        invocation_.flags().Text("exec"), invocation_.Masked(event) + "\n",
        {{"IPP_EVENT_ID", event.event_id()},
         {"IPP_EVENT_TYPE", EnumText(v1::SessionEventType_descriptor(), event.type())},
         {"IPP_SESSION_ID", event.session_id()},
         {"IPP_ATTEMPT", absl::StrCat(delivery.attempt())}});
    if (!process.ok()) {
      Note(process.status().message());
      return client::Handled::Retry(process.status().message());
    }
    while (!process->WaitFor(kLook)) {
      if (pause_.stopped()) return client::Handled::Release();  // and ends the command
    }
    const int code = process->exit_code();
    const std::string reason = absl::StrCat("exit code ", code);
    if (code == 0) return client::Handled::Acknowledge();
    return code == kParkExitCode ? client::Handled::Park(reason) : client::Handled::Retry(reason);
  }

  // Events, reconnects and lost leases come on threads of their own.
  void Note(absl::string_view message) {
    MutexLock lock(&speaking_);
    invocation_.Note(message);
  }

  Invocation& invocation_;
  Mutex speaking_;
  int64_t left_;  // less than 0: no limit
  bool said_ready_ = false;
  std::optional<int> result_;  // set: the command ends with this
  Pause pause_;
  client::Consumer consumer_;
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
