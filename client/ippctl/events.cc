#include "absl/strings/str_cat.h"
#include "client/ippctl/command.h"
#include "client/ippctl/fields.h"
#include "client/ippctl/render.h"
#include "client/ippctl/text.h"
#include "ippclient/event_subscription.h"
#include "kustom/ipp/v1/session_event.grpc.pb.h"

namespace ipp::ippctl {
namespace {

namespace v1 = ::kustom::ipp::v1;
using Service = v1::SessionEventService;

std::vector<Flag> FilterFlags() {
  return {
      {.name = "session", .value = "ID", .help = "only this session", .repeated = true},
      {.name = "device", .value = "ID", .help = "only sessions on this phone", .repeated = true},
      {.name = "type",
       .kind = FlagKind::kChoice,
       .value = "TYPE",
       .help = "only this type",
       .repeated = true,
       .choices = EnumChoices(v1::SessionEventType_descriptor())},
      {.name = "reference",
       .value = "TEXT",
       .help = "only sessions with this order number of the shop's",
       .repeated = true},
      {.name = "only-merchant",
       .value = "ID",
       .help = "only this merchant's; else all that the caller has",
       .repeated = true},
  };
}

v1::SessionEventFilter Filter(const FlagValues& flags) {
  v1::SessionEventFilter filter;
  for (const std::string& id : flags.All("session")) filter.add_session_ids(id);
  for (const std::string& id : flags.All("device")) filter.add_device_ids(id);
  for (const std::string& type : flags.All("type")) {
    filter.add_types(
        static_cast<v1::SessionEventType>(EnumNumber(v1::SessionEventType_descriptor(), type)));
  }
  for (const std::string& text : flags.All("reference")) filter.add_merchant_reference1s(text);
  for (const std::string& id : flags.All("only-merchant")) filter.add_merchant_ids(id);
  return filter;
}

void Print(Invocation& invocation, const v1::SessionEvent& event) {
  if (invocation.json()) {
    invocation.PrintJson(event, true);
  } else {
    invocation.out() << RenderEvent(event) << std::flush;
  }
}

google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  google::protobuf::Timestamp timestamp;
  timestamp.set_seconds(absl::ToUnixSeconds(time));
  timestamp.set_nanos(static_cast<int32_t>(
      absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(timestamp.seconds()))));
  return timestamp;
}

// Where `events tail` begins.
absl::Status FillStart(const FlagValues& flags, v1::SubscribeSessionEventsRequest* request) {
  const std::string from = flags.Text("from");
  if (flags.Has("after")) {
    if (!from.empty()) return absl::InvalidArgumentError("--after and --from exclude each other");
    request->set_after_cursor(flags.Text("after"));
    return absl::OkStatus();
  }
  absl::Time time;
  if (from.empty() || from == "now") {
    request->set_position(v1::START_POSITION_FROM_NOW);
  } else if (from == "oldest") {
    request->set_position(v1::START_POSITION_FROM_OLDEST);
  } else if (absl::ParseTime(absl::RFC3339_full, from, &time, nullptr)) {
    *request->mutable_start_time() = ToTimestamp(time);
  } else {
    return absl::InvalidArgumentError(absl::StrCat(
        "--from: '", from, "' is not oldest, now or a time such as 2026-01-31T08:00:00Z"));
  }
  return absl::OkStatus();
}

// Prints events, and tells on stderr what happens to the stream.
class Printer final : public client::EventHandler {
 public:
  Printer(Invocation* invocation, int64_t limit) : invocation_(*invocation), left_(limit) {}

  void set_subscription(client::EventSubscription* subscription) { subscription_ = subscription; }

  void OnEvent(const v1::SessionEvent& event) override {
    Print(invocation_, event);
    // Also when nobody reads any more: `ippctl events tail > /full/disk` must not go on in silence.
    if (!invocation_.out()) failed_ = true;
    if (failed_ || --left_ == 0) subscription_->Cancel();
  }
  void OnStarted(const v1::SubscriptionStarted& started) override {
    if (started.skipped()) {
      invocation_.err() << "ippctl: events were lost: the cursor was older than what is kept\n";
    }
    if (disconnected_) invocation_.err() << "ippctl: connected again\n";
    disconnected_ = false;
  }
  void OnDisconnected(const grpc::Status& status, absl::Duration retry_in) override {
    disconnected_ = true;
    invocation_.err() << absl::StrCat(
        "ippctl: ", client::CodeName(status.error_code()), ": ", Printable(status.error_message()),
        "; again in ", absl::FormatDuration(absl::Trunc(retry_in, absl::Milliseconds(1))), "\n");
  }
  bool failed() const { return failed_; }

 private:
  Invocation& invocation_;
  client::EventSubscription* subscription_ = nullptr;
  int64_t left_;  // 0 or less from the start: no limit
  bool disconnected_ = false;
  bool failed_ = false;
};

int Tail(Invocation& invocation) {
  const FlagValues& flags = invocation.flags();
  client::EventSubscription::Options options;
  *options.request.mutable_filter() = Filter(flags);
  if (const absl::Status status = FillStart(flags, &options.request); !status.ok()) {
    return invocation.Misused(status.message());
  }
  if (flags.Has("skip-expired")) {
    options.request.set_on_cursor_expired(v1::CURSOR_EXPIRED_POLICY_SKIP_TO_OLDEST);
  }
  if (flags.Has("heartbeat")) {
    const absl::Duration interval = flags.Duration("heartbeat");
    auto* wanted = options.request.mutable_heartbeat_interval();
    wanted->set_seconds(absl::ToInt64Seconds(interval));
    wanted->set_nanos(static_cast<int32_t>(
        absl::ToInt64Nanoseconds(interval - absl::Seconds(wanted->seconds()))));
  }
  client::EventSubscription subscription(invocation.channel(), std::move(options));
  Printer printer(&invocation, flags.Has("limit") ? flags.Integer("limit") : 0);
  printer.set_subscription(&subscription);
  const OnInterrupt cancel(invocation.interrupt(), [&subscription] { subscription.Cancel(); });
  const grpc::Status status = subscription.Run(&printer);
  if (const std::string cursor = subscription.cursor(); !cursor.empty()) {
    invocation.err() << "last cursor: " << Printable(cursor) << "\n";
  }
  if (printer.failed()) {
    invocation.err() << "ippctl: cannot write to standard output\n";
    return kExitOther;
  }
  return status.ok() ? kExitOk : invocation.Fail(status);
}

int List(Invocation& invocation) {
  const FlagValues& flags = invocation.flags();
  v1::ListSessionEventsRequest request;
  *request.mutable_filter() = Filter(flags);
  if (flags.Has("from")) *request.mutable_start_time() = ToTimestamp(flags.Time("from"));
  int64_t left = flags.Integer("limit");
  while (true) {
    request.set_page_size(static_cast<int32_t>(std::min<int64_t>(left, 1000)));
    v1::ListSessionEventsResponse page;
    const grpc::Status status =
        invocation.Unary<Service>(&Service::Stub::ListSessionEvents, request, &page);
    if (!status.ok()) return invocation.Fail(status);
    for (const v1::SessionEvent& event : page.events()) Print(invocation, event);
    left -= page.events_size();
    request.set_page_token(page.next_page_token());
    if (page.next_page_token().empty() || left <= 0) return kExitOk;
  }
}

}  // namespace

std::vector<Command> EventCommands() {
  std::vector<Flag> tail = {
      {.name = "after", .value = "CURSOR", .help = "go on after this cursor"},
      {.name = "from", .value = "WHERE", .help = "oldest, now (what is left out means) or a time"},
      {.name = "skip-expired",
       .kind = FlagKind::kSwitch,
       .help = "when the cursor is too old, go on with the oldest event that is kept"},
      {.name = "heartbeat",
       .kind = FlagKind::kDuration,
       .value = "DURATION",
       .help = "sign of life when nothing happens, 1s to 5m; three missed mean a dead connection",
       .fallback = "15s"},
      LimitFlag("")};
  std::vector<Flag> list = {{.name = "from",
                             .kind = FlagKind::kTime,
                             .value = "TIME",
                             .help = "recorded at or after this time"},
                            LimitFlag("100")};
  for (const Flag& flag : FilterFlags()) {
    tail.push_back(flag);
    list.push_back(flag);
  }
  return {
      {.group = "events",
       .name = "tail",
       .summary = "Follow the steps of every session, also over a broken connection",
       .flags = tail,
       .details =
           "Ends with Ctrl-C (exit code 0) and prints the last cursor on standard error: continue\n"
           "there with --after. JSON output is one SessionEvent a line.",
       .examples = {"ippctl events tail",
                    "ippctl events tail --from oldest --type finalized --type cancelled -o json",
                    "ippctl events tail --after AAAB-example-cursor"},
       .run = Tail},
      {.group = "events",
       .name = "list",
       .summary = "Print the steps of the past, oldest first",
       .flags = list,
       .details = "JSON output is one SessionEvent a line.",
       .examples = {"ippctl events list --from 2026-01-31T08:00:00Z --limit 1000",
                    "ippctl events list --session 7c2d4f0e-54a8-4b0e-8d39-1f0d9f0f6a11"},
       .run = List},
  };
}

}  // namespace ipp::ippctl
