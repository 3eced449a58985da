#include <filesystem>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/ippctl/command.h"
#include "client/ippctl/config_file.h"
#include "client/ippctl/cursor_file.h"
#include "client/ippctl/event_log.h"
#include "client/ippctl/file_text.h"
#include "client/ippctl/forward_url.h"
#include "client/ippctl/signing_secret.h"
#include "client/ippctl/text.h"
#include "client/ippctl/webhook.h"
#include "client/ippctl/webhook_forwarder.h"
#include "client/ippctl/webhook_sender.h"
#include "ippclient/event_subscription.h"
#include "kustom/ipp/v1/session_event.grpc.pb.h"
#include "server/base/protobuf_time.h"

namespace ipp::ippctl {
namespace {

namespace v1 = ::kustom::ipp::v1;
using Service = v1::SessionEventService;

// Forwards the events of the log as they are appended.
class Listener final : public client::EventHandler {
 public:
  Listener(Invocation* invocation, WebhookForwarder* forwarder, CursorFile* file)
      : invocation_(*invocation), forwarder_(*forwarder), file_(*file) {}

  void set_subscription(client::EventSubscription* subscription) { subscription_ = subscription; }

  void OnEvent(const v1::SessionEvent& event) override {
    if (ended_ || forwarder_.Forward(event)) return;
    ended_ = true;
    subscription_->Cancel();
  }
  void OnCursor(absl::string_view cursor) override {
    if (ended_) return;  // the previous event was not delivered
    kept_ = file_.Keep(cursor);
    if (kept_.ok()) {
      cursor_ = std::string(cursor);
    } else {
      ended_ = true;
      subscription_->Cancel();
    }
  }
  void OnStarted(const v1::SubscriptionStarted& started) override {
    if (started.skipped()) {
      invocation_.err() << "ippctl: events were lost: the cursor was older than what is kept\n";
    }
    invocation_.Note(connected_before_ ? "connected again"
                                       : "listening: ready, waiting for events; Ctrl-C ends it");
    connected_before_ = true;
  }
  void OnDisconnected(const grpc::Status& status, absl::Duration retry_in) override {
    invocation_.err() << DescribeReconnect(invocation_, status, retry_in);
  }

  const std::string& cursor() const { return cursor_; }  // all before it was delivered
  const absl::Status& kept() const { return kept_; }

 private:
  Invocation& invocation_;
  WebhookForwarder& forwarder_;
  CursorFile& file_;
  client::EventSubscription* subscription_ = nullptr;
  bool connected_before_ = false;
  bool ended_ = false;
  std::string cursor_;
  absl::Status kept_;
};

// The common end of both ways of listening.
int Ended(Invocation& invocation, const WebhookForwarder& forwarder, const grpc::Status& status) {
  invocation.err() << "ippctl: " << forwarder.delivered() << " delivered\n";
  if (forwarder.gave_up()) return kExitUnavailable;
  if (!invocation.out()) return kExitOther;
  if (status.ok() || invocation.interrupt()->triggered()) return kExitOk;
  return invocation.Fail(status);
}

int Follow(Invocation& invocation, const v1::SessionEventFilter& filter, WebhookSender* sender) {
  CursorFile file(invocation.flags().Text("cursor-file"));
  const absl::StatusOr<std::string> kept = file.Read();
  if (!kept.ok()) return invocation.Misused(kept.status().message());
  client::EventSubscription::Options options;
  *options.request.mutable_filter() = filter;
  if (const absl::Status status = FillStart(invocation.flags(), *kept, &options.request);
      !status.ok()) {
    return invocation.Misused(status.message());
  }
  WebhookForwarder forwarder(&invocation, sender);
  Listener listener(&invocation, &forwarder, &file);
  client::EventSubscription subscription(invocation.channel(), std::move(options));
  listener.set_subscription(&subscription);
  const OnInterrupt stop(invocation.interrupt(), [&subscription, sender] {
    subscription.Cancel();
    if (sender != nullptr) sender->Stop();
  });
  const grpc::Status status = subscription.Run(&listener);
  if (!listener.cursor().empty()) {
    invocation.err() << "last cursor: " << Printable(listener.cursor()) << "\n";
  }
  const int exit_code = Ended(invocation, forwarder, status);
  if (listener.kept().ok()) return exit_code;
  invocation.err() << absl::StrCat("ippctl: ", listener.kept().message(), "\n");
  return kExitOther;
}

struct Range {
  std::optional<absl::Time> from;          // absent: from the oldest event
  absl::Time to = absl::InfiniteFuture();  // infinite: to the end of the log
};

absl::StatusOr<Range> RangeOf(const FlagValues& flags) {
  for (const char* other : {"after", "cursor-file", "skip-expired", "since"}) {
    if (flags.Has(other)) {
      return absl::InvalidArgumentError(absl::StrCat("--", other, " and --to exclude each other"));
    }
  }
  const std::string from = flags.Text("from");
  const std::string to = flags.Text("to");
  if (from.empty() || from == "now") {
    return absl::InvalidArgumentError("--to needs --from: oldest or a time");
  }
  Range range;
  if (from != "oldest") {
    const auto time = ParseTimeFlag("--from", from);
    if (!time.ok()) return time.status();
    range.from = *time;
  }
  if (to != "now") {
    const auto time = ParseTimeFlag("--to", to);
    if (!time.ok()) return time.status();
    range.to = *time;
    if (range.to > absl::Now()) {
      return absl::InvalidArgumentError(
          "--to lies in the future; without it, what is yet to come is sent too");
    }
    if (range.from && *range.from > range.to) {
      return absl::InvalidArgumentError("--to lies before --from");
    }
  }
  return range;
}

// Forwards everything recorded from `from` to `to`, both included. It reads pages, not a stream,
// because pages have an end.
int Replay(Invocation& invocation, const v1::SessionEventFilter& filter, WebhookSender* sender) {
  const absl::StatusOr<Range> range = RangeOf(invocation.flags());
  if (!range.ok()) return invocation.Misused(range.status().message());
  WebhookForwarder forwarder(&invocation, sender);
  v1::ListSessionEventsRequest request;
  *request.mutable_filter() = filter;
  request.set_page_size(100);
  if (range->from) *request.mutable_start_time() = ToTimestamp(*range->from);
  const OnInterrupt stop(invocation.interrupt(), [sender] {
    if (sender != nullptr) sender->Stop();
  });
  while (true) {
    v1::ListSessionEventsResponse page;
    const grpc::Status status =
        invocation.Unary<Service>(&Service::Stub::ListSessionEvents, request, &page);
    if (!status.ok()) return Ended(invocation, forwarder, status);
    for (const v1::SessionEvent& event : page.events()) {
      if (FromTimestamp(event.recorded_at()) > range->to || !forwarder.Forward(event)) {
        return Ended(invocation, forwarder, grpc::Status::OK);
      }
    }
    if (page.next_page_token().empty()) return Ended(invocation, forwarder, grpc::Status::OK);
    request.set_page_token(page.next_page_token());
  }
}

absl::StatusOr<WebhookSender::Options> SenderOptions(const FlagValues& flags) {
  auto url = ParseForwardUrl(flags.Text("forward-to"));
  if (!url.ok()) return url.status();
  if (!url->is_loopback && !flags.Has("allow-remote")) {
    return absl::InvalidArgumentError(
        "--forward-to is not this machine: --allow-remote sends there all the same");
  }
  WebhookSender::Options options;
  options.url = *std::move(url);
  options.ca_file = flags.Text("forward-ca-file");
  options.timeout = flags.Duration("timeout");
  options.attempts = flags.Integer("attempts");
  options.first_pause = flags.Duration("backoff");
  return options;
}

// --secret-file, else a file that ippctl keeps itself.
absl::StatusOr<std::string> SecretPath(Invocation& invocation) {
  if (invocation.flags().Has("secret-file")) return invocation.flags().Text("secret-file");
  const std::string folder = ConfigFolder(invocation.getenv());
  if (folder.empty()) return absl::InvalidArgumentError("--secret-file is required without a HOME");
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return absl::NotFoundError(absl::StrCat("cannot make the folder ", folder));
  return absl::StrCat(folder, "/webhook-secret");
}

absl::StatusOr<std::unique_ptr<WebhookSender>> MakeSender(Invocation& invocation) {
  auto options = SenderOptions(invocation.flags());
  if (!options.ok()) return options.status();
  const auto path = SecretPath(invocation);
  if (!path.ok()) return path.status();
  const auto secret = ReadOrMakeSigningKeys(*path);
  if (!secret.ok()) return secret.status();
  if (secret->made) {
    invocation.err() << "ippctl: made a signing secret: let your server read it from "
                     << Printable(*path) << "\n";
  } else if (!invocation.flags().Has("secret-file")) {
    invocation.err() << "ippctl: signing with the secret of " << Printable(*path) << "\n";
  }
  options->keys = secret->keys;
  return WebhookSender::Create(*std::move(options));
}

int Listen(Invocation& invocation) {
  const FlagValues& flags = invocation.flags();
  if (flags.Has("all-types") && flags.Has("type")) {
    return invocation.Misused("--all-types and --type exclude each other");
  }
  v1::SessionEventFilter filter = Filter(flags);
  if (!flags.Has("all-types") && !flags.Has("type")) {
    for (const v1::SessionEventType type : AnnouncedTypes()) filter.add_types(type);
  }
  std::unique_ptr<WebhookSender> sender;
  if (flags.Has("forward-to")) {
    auto made = MakeSender(invocation);
    if (!made.ok()) return invocation.Misused(made.status().message());
    sender = *std::move(made);
  } else {
    for (const char* other :
         {"secret-file", "attempts", "backoff", "on-failure", "allow-remote", "forward-ca-file"}) {
      if (flags.Origin(other) == absl::StrCat("--", other)) {
        return invocation.Misused(absl::StrCat("--", other, " needs --forward-to"));
      }
    }
  }
  return flags.Has("to") ? Replay(invocation, filter, sender.get())
                         : Follow(invocation, filter, sender.get());
}

int PrintSecret(Invocation& invocation) {
  const auto path = SecretPath(invocation);
  if (!path.ok()) return invocation.Misused(path.status().message());
  if (const auto secret = ReadOrMakeSigningKeys(*path); !secret.ok()) {
    return invocation.Misused(secret.status().message());
  }
  invocation.out() << ReadFileText(*path).value_or("");
  return kExitOk;
}

Flag SecretFileFlag() {
  return {.name = "secret-file",
          .value = "FILE",
          .help =
              "whsec_ secrets that sign, one a line; made when it is not there; without it "
              "webhook-secret beside the configuration file"};
}

std::vector<Flag> ListenFlags() {
  std::vector<Flag> flags = {
      {.name = "forward-to",
       .value = "URL",
       .help = "where to send them, http or https; without it they are only printed"},
      SecretFileFlag(),
      {.name = "all-types",
       .kind = FlagKind::kSwitch,
       .help = "also what Kustom never announces: expired, failed, corrected, details"},
      {.name = "to",
       .value = "TIME",
       .help = "with --from: only what was recorded until then, or until now; then end"},
      {.name = "attempts",
       .kind = FlagKind::kCount,
       .value = "N",
       .help = "how often one event is tried",
       .fallback = "8"},
      {.name = "backoff",
       .kind = FlagKind::kDuration,
       .value = "DURATION",
       .help = "pause after the first failed attempt; doubles, up to 30s",
       .fallback = "500ms"},
      {.name = "on-failure",
       .kind = FlagKind::kChoice,
       .value = "WHAT",
       .help = "when the attempts are used up: stop with exit code 6, or skip the event",
       .choices = {"stop", "skip"},
       .fallback = "stop"},
      {.name = "allow-remote",
       .kind = FlagKind::kSwitch,
       .help = "let --forward-to be another machine"},
      {.name = "forward-ca-file",
       .value = "FILE",
       .help = "certificate authorities (PEM) for an https --forward-to"},
  };
  for (auto* more : {StartFlags, FilterFlags}) {
    for (Flag& flag : more()) flags.push_back(std::move(flag));
  }
  return flags;
}

}  // namespace

std::vector<Command> WebhookCommands() {
  return {
      {.group = "webhooks",
       .name = "listen",
       .summary = "Send the gateway's events on to a local server, as signed webhooks",
       .flags = ListenFlags(),
       .details =
           "Body, headers and signature are those of Kustom's webhooks, so a server can be tried "
           "without a tunnel. webhook-id is the event's id: the same when it is sent again. Events "
           "are sent in order, each until it is answered 2xx; --timeout is for one attempt. A line "
           "shows the status, the time and the first line of the server's answer; -o wide also the "
           "body that was sent. Without --forward-to the webhooks are printed, with -o json their "
           "bodies.\n\nWhat Kustom never announces has types of ours: ipp.session.expired, "
           "ipp.session.failed, ipp.session.corrected, ipp.session.details. Redirects are not "
           "followed. Ctrl-C ends it with exit code 0. JSON output is one object a line.",
       .examples = {"ippctl webhooks listen",
                    "ippctl webhooks listen --forward-to http://localhost:3000/webhooks",
                    "ippctl webhooks listen --forward-to http://localhost:3000/webhooks "
                    "--secret-file webhook-secret --from oldest --cursor-file webhooks.cursor",
                    "ippctl webhooks listen --forward-to http://localhost:3000/webhooks "
                    "--from 2026-01-31T08:00:00Z --to 2026-01-31T09:00:00Z "
                    "--session 7c2d4f0e-54a8-4b0e-8d39-1f0d9f0f6a11"},
       .run = Listen,
       .kind = "webhook"},
      {.group = "webhooks",
       .name = "secret",
       .summary = "Print the secret that `webhooks listen` signs with, for your server",
       .flags = {SecretFileFlag()},
       .details = "It is a secret of this machine's tests, not Kustom's. It is made when it is not "
                  "there.",
       .examples = {"ippctl webhooks secret"},
       .run = PrintSecret,
       .needs = Needs::kNothing},
  };
}

}  // namespace ipp::ippctl
