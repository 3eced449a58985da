#include "client/ippctl/webhook_forwarder.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "client/ippctl/json_text.h"
#include "client/ippctl/render.h"
#include "client/ippctl/text.h"
#include "server/base/protobuf_time.h"

namespace ipp::ippctl {

bool WebhookForwarder::Forward(const kustom::ipp::v1::SessionEvent& event) {
  const std::optional<Webhook> webhook = MakeWebhook(event);
  if (!webhook) return true;
  const WebhookSender::Attempt last =
      sender_.Send(*webhook, [&](const WebhookSender::Attempt& attempt, absl::Duration pause) {
        Complain(*webhook, attempt, absl::StrCat("again in ", absl::FormatDuration(pause)));
      });
  if (absl::IsCancelled(last.status)) return false;
  Print(*webhook, last);
  if (last.status.ok()) {
    ++delivered_;
  } else {
    Complain(
        *webhook, last,
        absl::StrCat("given up after ", last.number, last.number == 1 ? " attempt" : " attempts"));
    gave_up_ = !skips_;
  }
  return !gave_up_ && invocation_.out();
}

void WebhookForwarder::Complain(const Webhook& webhook, const WebhookSender::Attempt& attempt,
                                absl::string_view then) {
  invocation_.err() << absl::StrCat("ippctl: ", Printable(webhook.type), " of ",
                                    Printable(webhook.session_id), ": ",
                                    Printable(attempt.status.message()), "; ", then, "\n");
}

void WebhookForwarder::Print(const Webhook& webhook, const WebhookSender::Attempt& attempt) {
  const std::string sent_at = FormatTimestamp(ToTimestamp(attempt.sent_at));
  const int64_t milliseconds = absl::ToInt64Milliseconds(attempt.took);
  if (invocation_.json()) {
    JsonObject line;
    line.Add("sent_at", sent_at)
        .Add("event_id", webhook.id)
        .Add("type", webhook.type)
        .Add("session_id", webhook.session_id)
        .Add("delivered", attempt.status.ok())
        .Add("status", int64_t{attempt.code})
        .Add("milliseconds", milliseconds)
        .Add("attempts", attempt.number);
    if (!attempt.status.ok()) line.Add("error", Printable(attempt.status.message()));
    invocation_.out() << line.text() << "\n" << std::flush;
    return;
  }
  invocation_.out() << RenderDelivery({sent_at, webhook.type, webhook.session_id,
                                       attempt.code == 0 ? "---" : absl::StrCat(attempt.code),
                                       absl::StrCat(milliseconds, " ms")})
                    << std::flush;
}

}  // namespace ipp::ippctl
