#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/ippctl/forward_url.h"
#include "client/ippctl/pause.h"
#include "client/ippctl/webhook.h"
#include "server/base/metrics.h"
#include "server/base/mutex.h"
#include "server/http/http_transport.h"

namespace ipp::ippctl {

// Sends webhooks to one URL, one after another: the next one begins when the one before was
// delivered or given up, so their order is kept.
class WebhookSender {
 public:
  struct Options {
    ForwardUrl url;
    std::string ca_file;                                   // PEM; empty: the system's
    std::vector<std::string> keys;                         // sign; one at least
    absl::Duration timeout = absl::Seconds(10);            // of one attempt
    int64_t attempts = 8;                                  // of one webhook
    absl::Duration first_pause = absl::Milliseconds(500);  // doubles up to 30 s
  };

  struct Attempt {
    int64_t number = 0;  // from 1
    absl::Time sent_at;
    absl::Duration took;
    int code = 0;        // the HTTP status; 0: no answer
    std::string answer;  // the first line of its body, made printable and cut; may be empty
    absl::Status
        status;  // OK: taken, a 2xx. CANCELLED: Stop(). Else the message says what happened
  };
  // An attempt that failed, when another follows after the pause.
  using OnFailed = std::function<void(const Attempt&, absl::Duration pause)>;

  // INVALID_ARGUMENT or FAILED_PRECONDITION when the options cannot work.
  static absl::StatusOr<std::unique_ptr<WebhookSender>> Create(Options options);

  // Blocks until the webhook is delivered, its attempts are used up, or Stop(). Returns the last
  // attempt. No redirect is followed: a 3xx is not a 2xx. One thread at a time.
  Attempt Send(const Webhook& webhook, const OnFailed& on_failed);

  // Ends Send, also one that has yet to begin. Any thread.
  void Stop();

 private:
  explicit WebhookSender(Options options) : options_(std::move(options)) {}
  Attempt SendOnce(const Webhook& webhook);
  http::HttpResult Exchange(http::HttpRequest request);
  absl::Status Judge(const http::HttpResult& result) const;

  const Options options_;
  Metrics metrics_;
  Pause pause_;
  Mutex mutex_;
  std::shared_ptr<http::HttpTransport::Call> call_ ABSL_GUARDED_BY(mutex_);  // under way
  std::unique_ptr<http::HttpTransport> transport_;  // destroyed first, which ends calls under way
};

}  // namespace ipp::ippctl
