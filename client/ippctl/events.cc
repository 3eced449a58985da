#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/ippctl/command.h"
#include "client/ippctl/cursor_file.h"
#include "client/ippctl/event_log.h"
#include "client/ippctl/fields.h"
#include "client/ippctl/history_commands.h"
#include "client/ippctl/render.h"
#include "client/ippctl/text.h"
#include "ippclient/event_subscription.h"
#include "kustom/ipp/v1/session_event.grpc.pb.h"
#include "server/base/protobuf_time.h"

namespace ipp::ippctl {
namespace {

namespace v1 = ::kustom::ipp::v1;
using Service = v1::SessionEventService;

void Print(Invocation& invocation, const v1::SessionEvent& event) {
  invocation.ShowNext(event,
                      RenderLine(EventColumns(), event, invocation.wide(), invocation.look()),
                      event.event_id());
}

// Prints events, and reports broken streams on stderr.
class Printer final : public client::EventHandler {
 public:
  Printer(Invocation* invocation, CursorFile* file, int64_t limit)
      : invocation_(*invocation), file_(*file), left_(limit) {}

  void set_subscription(client::EventSubscription* subscription) { subscription_ = subscription; }

  void OnEvent(const v1::SessionEvent& event) override {
    Print(invocation_, event);
    // Even if the pipe has no reader: `ippctl events tail > /full/disk` must not continue silently.
    if (!invocation_.out()) status_ = absl::UnavailableError("");
    if (!status_.ok() || --left_ == 0) subscription_->Cancel();
  }
  void OnCursor(absl::string_view cursor) override {
    if (!status_.ok()) return;  // the previous event was not printed
    status_ = file_.Keep(cursor);
    if (!status_.ok()) return subscription_->Cancel();
    cursor_ = std::string(cursor);
  }
  void OnStarted(const v1::SubscriptionStarted& started) override {
    if (started.skipped()) {
      invocation_.err() << "ippctl: events were lost: the cursor was older than what is kept\n";
    }
    if (std::exchange(disconnected_, false)) invocation_.Note("connected again");
    if (!std::exchange(said_ready_, true)) {
      invocation_.Note("ready, waiting for events; Ctrl-C ends it");
    }
  }
  void OnDisconnected(const grpc::Status& status, absl::Duration retry_in) override {
    disconnected_ = true;
    invocation_.err() << DescribeReconnect(invocation_, status, retry_in);
  }

  // Of what was printed, and kept.
  const std::string& cursor() const { return cursor_; }
  // Not OK: an event could not be printed (no message: that is the stream's to say), or its cursor
  // not be kept.
  const absl::Status& status() const { return status_; }

 private:
  Invocation& invocation_;
  CursorFile& file_;
  client::EventSubscription* subscription_ = nullptr;
  int64_t left_;  // 0 or less from the start: no limit
  std::string cursor_;
  bool disconnected_ = false;
  bool said_ready_ = false;
  absl::Status status_;
};

// The events from `request` on, up to the end of the log: the first --limit of them, or with --tail
// the last of them. Pages may be empty and yet not the last.
grpc::Status Collect(Invocation& invocation, v1::ListSessionEventsRequest request,
                     v1::ListSessionEventsResponse* all) {
  const FlagValues& flags = invocation.flags();
  const bool last = flags.Has("tail");
  int64_t most = flags.Integer(last ? "tail" : "limit");
  auto* events = all->mutable_events();
  while (true) {
    request.set_page_size(
        last ? 1000 : static_cast<int32_t>(std::min<int64_t>(most - events->size(), 1000)));
    v1::ListSessionEventsResponse page;
    grpc::Status status =
        invocation.Unary<Service>(&Service::Stub::ListSessionEvents, request, &page);
    if (!status.ok()) return status;
    all->set_next_page_token(page.next_page_token());
    if (invocation.ndjson() && !last) {
      // Lines need not wait for the end, nor be kept.
      for (const v1::SessionEvent& event : page.events()) Print(invocation, event);
      most -= page.events_size();
      if (!invocation.out()) return grpc::Status::OK;
    } else {
      events->MergeFrom(page.events());
    }
    if (const int64_t more = events->size() - most; last && more > 0) {
      events->DeleteSubrange(0, static_cast<int>(more));
    }
    if (page.next_page_token().empty() || (!last && events->size() >= most)) return status;
    request.set_page_token(page.next_page_token());
  }
}

int Tail(Invocation& invocation) {
  const FlagValues& flags = invocation.flags();
  CursorFile file(flags.Text("cursor-file"));
  const absl::StatusOr<std::string> kept = file.Read();
  if (!kept.ok()) return invocation.Misused(kept.status().message());
  client::EventSubscription::Options options;
  *options.request.mutable_filter() = Filter(flags);
  if (const absl::Status status = FillStart(flags, *kept, &options.request); !status.ok()) {
    return invocation.Misused(status.message());
  }
  if (flags.Has("tail")) {
    for (const char* other : {"after", "from", "cursor-file", "limit"}) {
      if (flags.Has(other)) {
        return invocation.Misused(absl::StrCat("--tail and --", other, " exclude each other"));
      }
    }
    v1::ListSessionEventsRequest past;
    *past.mutable_filter() = Filter(flags);
    if (flags.Has("since")) *past.mutable_start_time() = options.request.start_time();
    v1::ListSessionEventsResponse all;
    if (const grpc::Status status = Collect(invocation, past, &all); !status.ok()) {
      return invocation.Fail(status);
    }
    for (const v1::SessionEvent& event : all.events()) Print(invocation, event);
    // Without any event of the past there is no cursor: the stream begins where the read began.
    if (!all.events().empty()) {
      options.request.set_after_cursor(all.events().rbegin()->cursor());
    } else if (!flags.Has("since")) {
      options.request.set_position(v1::START_POSITION_FROM_OLDEST);
    }
  }
  if (flags.Has("heartbeat")) {
    const absl::Duration interval = flags.Duration("heartbeat");
    auto* wanted = options.request.mutable_heartbeat_interval();
    wanted->set_seconds(absl::ToInt64Seconds(interval));
    wanted->set_nanos(static_cast<int32_t>(
        absl::ToInt64Nanoseconds(interval - absl::Seconds(wanted->seconds()))));
  }
  client::EventSubscription subscription(invocation.channel(), std::move(options));
  Printer printer(&invocation, &file, flags.Has("limit") ? flags.Integer("limit") : 0);
  printer.set_subscription(&subscription);
  const OnInterrupt cancel(invocation.interrupt(), [&subscription] { subscription.Cancel(); });
  const grpc::Status status = subscription.Run(&printer);
  if (!printer.cursor().empty()) {
    invocation.err() << "last cursor: " << Printable(printer.cursor()) << "\n";
  }
  if (!printer.status().ok()) {
    if (invocation.out()) {
      invocation.err() << absl::StrCat("ippctl: ", printer.status().message(), "\n");
    }
    return kExitOther;
  }
  return status.ok() ? kExitOk : invocation.Fail(status);
}

int List(Invocation& invocation) {
  const FlagValues& flags = invocation.flags();
  if (flags.Has("from") && flags.Has("since")) {
    return invocation.Misused("--from and --since exclude each other");
  }
  v1::ListSessionEventsRequest request;
  *request.mutable_filter() = Filter(flags);
  if (flags.Has("from")) *request.mutable_start_time() = ToTimestamp(flags.Time("from"));
  if (flags.Has("since")) {
    *request.mutable_start_time() = ToTimestamp(absl::Now() - flags.Duration("since"));
  }
  v1::ListSessionEventsResponse all;
  const grpc::Status status = Collect(invocation, std::move(request), &all);
  return status.ok() ? invocation.ShowList(all) : invocation.Fail(status);
}

Flag TailFlag() {
  return {.name = "tail", .kind = FlagKind::kCount, .value = "N", .help = "only the last N"};
}

}  // namespace

std::vector<Command> EventCommands() {
  std::vector<Flag> tail = StartFlags();
  tail.push_back(
      {.name = "heartbeat",
       .kind = FlagKind::kDuration,
       .value = "DURATION",
       .help = "sign of life when nothing happens, 1s to 5m; three missed mean a dead connection",
       .fallback = "15s"});
  tail.push_back(LimitFlag(""));
  Flag last = TailFlag();
  last.help = "first the last N events of the past, with --since of that time";
  tail.push_back(std::move(last));
  std::vector<Flag> list = {{.name = "from",
                             .kind = FlagKind::kTime,
                             .value = "TIME",
                             .help = "recorded at or after this time"},
                            SinceFlag(),
                            TailFlag(),
                            LimitFlag("100")};
  for (const Flag& flag : FilterFlags()) {
    tail.push_back(flag);
    list.push_back(flag);
  }
  return {
      ReceiveCommand(),
      {.group = "events",
       .name = "tail",
       .summary = "Follow the steps of every session, also over a broken connection",
       .flags = tail,
       .details =
           "Ends with Ctrl-C (exit code 0) and prints the last cursor on standard error: continue "
           "there with --after, or let --cursor-file do both. JSON output is one SessionEvent a "
           "line.",
       .examples = {"ippctl events tail", "ippctl events tail --tail 10",
                    "ippctl events tail --since 1h --type finalized --type cancelled -o json",
                    "ippctl events tail --after AAAB-example-cursor",
                    "ippctl events tail --from oldest --cursor-file orders.cursor -o json"},
       .run = Tail,
       .kind = "event",
       .columns = EventColumns()},
      {.group = "events",
       .name = "list",
       .summary = "Print the steps of the past, oldest first",
       .flags = list,
       .details = "It reads the log from its beginning, or from --from or --since on. With --tail "
                  "it reads to the end and prints the last events.",
       .examples = {"ippctl events list --from 2026-01-31T08:00:00Z --limit 1000",
                    "ippctl events list --since 1h --tail 20",
                    "ippctl events list --session 7c2d4f0e-54a8-4b0e-8d39-1f0d9f0f6a11 -o ndjson"},
       .run = List,
       .kind = "event",
       .columns = EventColumns()},
  };
}

}  // namespace ipp::ippctl
