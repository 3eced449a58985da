#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "client/ippctl/command.h"
#include "client/ippctl/webhook.h"
#include "client/ippctl/webhook_sender.h"
#include "kustom/ipp/v1/session_event.pb.h"

namespace ipp::ippctl {

// Forwards events as webhooks: prints a line on standard output for each, with the server's answer,
// and one on standard error for each failed attempt. Without a sender it only prints the webhooks.
// One thread.
class WebhookForwarder {
 public:
  // Both must outlive it; `sender` may be null. --on-failure says what happens to a webhook that
  // could not be delivered.
  WebhookForwarder(Invocation* invocation, WebhookSender* sender)
      : invocation_(*invocation),
        sender_(sender),
        skips_(invocation->flags().Text("on-failure") == "skip") {}

  // Blocks until the webhook is delivered or given up. False: stop sending; this event counts as
  // not delivered.
  bool Forward(const kustom::ipp::v1::SessionEvent& event);

  // Forward() was false because the attempts were used up.
  bool gave_up() const { return gave_up_; }
  int64_t delivered() const { return delivered_; }

 private:
  void Complain(const Webhook& webhook, const WebhookSender::Attempt& attempt,
                absl::string_view then);
  void Print(const Webhook& webhook, const WebhookSender::Attempt& attempt);
  void PrintUnsent(const Webhook& webhook, const kustom::ipp::v1::SessionEvent& event);

  Invocation& invocation_;
  WebhookSender* const sender_;
  const bool skips_;
  int64_t delivered_ = 0;
  bool gave_up_ = false;
};

}  // namespace ipp::ippctl
