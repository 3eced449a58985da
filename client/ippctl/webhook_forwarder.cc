#include "client/ippctl/webhook_forwarder.h"

#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/ippctl/json_text.h"
#include "client/ippctl/table.h"
#include "client/ippctl/text.h"
#include "server/base/protobuf_time.h"

namespace ipp::ippctl {
namespace {

// Type, session, status, how long it took, the answer; and the columns of a line with a long time.
const std::vector<size_t> kWidths = {21, 36, 3, 6, 0};
constexpr int kLineWidth = 103;
constexpr size_t kAlwaysShown = 3;

// The cells behind the time, in the terminal's width: the time is shortened, then the last cells
// are left out.
std::string LineOf(const google::protobuf::Timestamp& at, std::vector<std::string> cells,
                   const Invocation& invocation) {
  Look look = invocation.look();
  if (invocation.wide()) look.width = 0;
  look.short_times = look.width > 0 && look.width < kLineWidth;
  std::vector<size_t> widths = {TableTimeWidth(look)};
  widths.insert(widths.end(), kWidths.begin(), kWidths.end());
  cells.insert(cells.begin(), TableTime(at, look));
  while (true) {
    std::string line = AlignedLine(cells, widths);
    const bool fits = look.width == 0 || DisplayWidth(line) <= static_cast<size_t>(look.width) + 1;
    if (fits || cells.size() <= 1 + kAlwaysShown) return line;
    cells.pop_back();
  }
}

}  // namespace

bool WebhookForwarder::Forward(const kustom::ipp::v1::SessionEvent& event) {
  const std::optional<Webhook> webhook = MakeWebhook(event);
  if (!webhook) return true;
  if (sender_ == nullptr) {
    PrintUnsent(*webhook, event);
    ++delivered_;
    return static_cast<bool>(invocation_.out());
  }
  const WebhookSender::Attempt last =
      sender_->Send(*webhook, [&](const WebhookSender::Attempt& attempt, absl::Duration pause) {
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
  invocation_.err() << absl::StrCat(
      "ippctl: ", Printable(webhook.type), " of ", Printable(webhook.session_id), ": ",
      Printable(attempt.status.message()), attempt.answer.empty() ? "" : ": ", attempt.answer, "; ",
      then, "\n");
}

void WebhookForwarder::PrintUnsent(const Webhook& webhook,
                                   const kustom::ipp::v1::SessionEvent& event) {
  std::string text = LineOf(event.occurred_at(), {webhook.type, webhook.session_id}, invocation_);
  if (invocation_.wide()) absl::StrAppend(&text, "    ", Printable(webhook.body), "\n");
  invocation_.ShowJson(webhook.body, text, webhook.id);
}

void WebhookForwarder::Print(const Webhook& webhook, const WebhookSender::Attempt& attempt) {
  const int64_t milliseconds = absl::ToInt64Milliseconds(attempt.took);
  JsonObject line;
  line.Add("sent_at", FormatTimestamp(ToTimestamp(attempt.sent_at)))
      .Add("event_id", webhook.id)
      .Add("type", webhook.type)
      .Add("session_id", webhook.session_id)
      .Add("delivered", attempt.status.ok())
      .Add("status", int64_t{attempt.code})
      .Add("milliseconds", milliseconds)
      .Add("attempts", attempt.number);
  if (!attempt.answer.empty()) line.Add("answer", attempt.answer);
  if (!attempt.status.ok()) line.Add("error", Printable(attempt.status.message()));
  std::string text = LineOf(
      ToTimestamp(attempt.sent_at),
      {webhook.type, webhook.session_id, attempt.code == 0 ? "---" : absl::StrCat(attempt.code),
       absl::StrCat(milliseconds, " ms"), attempt.answer},
      invocation_);
  if (invocation_.wide()) absl::StrAppend(&text, "    ", Printable(webhook.body), "\n");
  invocation_.ShowJson(line.text(), text, webhook.id);
}

}  // namespace ipp::ippctl
