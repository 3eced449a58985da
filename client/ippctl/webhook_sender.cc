#include "client/ippctl/webhook_sender.h"

#include <future>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "client/ippctl/text.h"
#include "ippclient/version.h"
#include "server/http/curl_transport.h"

namespace ipp::ippctl {
namespace {

constexpr absl::Duration kLongestPause = absl::Seconds(30);
constexpr size_t kMaxAnswerBytes = 1 << 20;
constexpr size_t kShownAnswer = 120;  // columns

// The transport's messages say "upstream", which a user of ippctl does not have.
std::string TransportWords(const http::HttpResult& result) {
  return std::string(absl::StripPrefix(result.status.message(), "upstream: "));
}

// For a person: what a server says of a webhook that it refuses stands at the beginning.
std::string FirstLine(absl::string_view body) {
  body = absl::StripLeadingAsciiWhitespace(body);
  return Shortened(Printable(absl::StripTrailingAsciiWhitespace(body.substr(0, body.find('\n')))),
                   kShownAnswer);
}

}  // namespace

absl::StatusOr<std::unique_ptr<WebhookSender>> WebhookSender::Create(Options options) {
  http::CurlOptions curl;
  curl.base_url = options.url.origin;
  curl.ca_file = options.ca_file;
  curl.connections = 1;
  curl.max_response_bytes = kMaxAnswerBytes;
  curl.connect_timeout = options.timeout;
  // Servers under development close idle connections soon. A webhook sent on a connection at that
  // moment would appear as a failed one.
  curl.max_connection_idle = absl::Seconds(1);
  curl.user_agent = absl::StrCat("ippctl/", client::Version());
  std::unique_ptr<WebhookSender> sender(new WebhookSender(std::move(options)));
  auto transport = http::NewCurlTransport(std::move(curl), &sender->metrics_);
  if (!transport.ok()) return transport.status();
  sender->transport_ = *std::move(transport);
  return sender;
}

WebhookSender::Attempt WebhookSender::Send(const Webhook& webhook, const OnFailed& on_failed) {
  Backoff backoff(options_.first_pause, kLongestPause);
  for (int64_t number = 1;; ++number) {
    Attempt attempt = SendOnce(webhook);
    attempt.number = number;
    if (pause_.stopped() && !attempt.status.ok()) attempt.status = absl::CancelledError("stopped");
    if (attempt.status.ok() || absl::IsCancelled(attempt.status)) return attempt;
    if (number >= options_.attempts) return attempt;
    const absl::Duration pause = backoff.Next();
    on_failed(attempt, pause);
    if (!pause_.For(pause)) {
      attempt.status = absl::CancelledError("stopped");
      return attempt;
    }
  }
}

WebhookSender::Attempt WebhookSender::SendOnce(const Webhook& webhook) {
  Attempt attempt;
  attempt.sent_at = absl::Now();
  http::HttpRequest request;
  request.method = "POST";
  request.target = options_.url.target;
  request.headers = WebhookHeaders(webhook, options_.keys, attempt.sent_at);
  request.body = webhook.body;
  // libcurl must not retry on its own, since each attempt is reported. Unlike kNo, this mode can be
  // cancelled.
  request.repeatable = http::Repeatable::kHarmless;
  request.deadline = attempt.sent_at + options_.timeout;
  const http::HttpResult result = Exchange(std::move(request));
  attempt.took = absl::Now() - attempt.sent_at;
  attempt.code = result.status.ok() ? result.response.code : 0;
  if (result.status.ok()) attempt.answer = FirstLine(result.response.body);
  attempt.status = Judge(result);
  return attempt;
}

http::HttpResult WebhookSender::Exchange(http::HttpRequest request) {
  // Shared, because this function may return before set_value() has returned.
  const auto promise = std::make_shared<std::promise<http::HttpResult>>();
  std::future<http::HttpResult> answer = promise->get_future();
  auto call = transport_->Send(std::move(request), [promise](http::HttpResult result) {
    promise->set_value(std::move(result));
  });
  {
    MutexLock lock(&mutex_);
    call_ = call;
  }
  // Stop() may have come before there was a call to cancel.
  if (pause_.stopped()) call->Cancel();
  return answer.get();
}

absl::Status WebhookSender::Judge(const http::HttpResult& result) const {
  switch (result.status.code()) {
    case absl::StatusCode::kOk:
      if (result.response.code / 100 == 2) return absl::OkStatus();
      return absl::UnavailableError(absl::StrCat("the answer was ", result.response.code));
    case absl::StatusCode::kDeadlineExceeded:
      return absl::UnavailableError(
          absl::StrCat("no answer within ", absl::FormatDuration(options_.timeout)));
    case absl::StatusCode::kOutOfRange:
      return absl::UnavailableError("the answer is larger than 1 MiB");
    case absl::StatusCode::kFailedPrecondition:
      return absl::UnavailableError(TransportWords(result));
    default:
      return absl::UnavailableError(result.fate == http::RequestFate::kNotSent
                                        ? TransportWords(result)
                                        : "the connection broke before the answer was there");
  }
}

void WebhookSender::Stop() {
  pause_.Stop();
  MutexLock lock(&mutex_);
  if (call_ != nullptr) call_->Cancel();
}

}  // namespace ipp::ippctl
