#include "server/upstream/upstream_client.h"

#include <array>
#include <atomic>
#include <map>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "server/base/field_counter.h"
#include "server/base/identifiers.h"
#include "server/base/log.h"
#include "server/base/log_rate_limiter.h"
#include "server/base/mutex.h"
#include "server/base/pending_call.h"
#include "server/base/uuid.h"
#include "server/upstream/attempt_span.h"
#include "server/upstream/correlation.h"
#include "server/upstream/http_status.h"
#include "server/upstream/route_row.h"

namespace ipp::upstream {
namespace {

namespace v1 = kustom::ipp::v1;

constexpr char kUnreadableHelp[] =
    "Values of the upstream that could not be read and were left out.";

http::Repeatable ToRepeatable(v1::Repeat repeat) {
  switch (repeat) {
    case v1::REPEAT_READ:
      return http::Repeatable::kYes;
    case v1::REPEAT_HARMLESS:
      return http::Repeatable::kHarmless;
    default:
      return http::Repeatable::kNo;
  }
}

// Removes the correlation marker from the answer of any RPC, so that no other code sees it.
std::string TakeCorrelationFrom(google::protobuf::Message* response) {
  const auto* field = response->GetDescriptor()->FindFieldByName("session");
  if (field == nullptr || field->message_type() != v1::Session::descriptor()) return "";
  return TakeCorrelation(
      static_cast<v1::Session*>(response->GetReflection()->MutableMessage(response, field)));
}

}  // namespace

struct UpstreamClient::Shared {
  http::HttpTransport* transport;
  const Credentials* credentials;
  Clock* clock;
  Scheduler* scheduler;
  UpstreamOptions options;
  RetryBudget budget;
  std::map<const routes::Route*, RouteRow> rows;
  FieldCounter unknown_fields;
  FieldCounter unreadable_fields;
  LogRateLimiter complaints;
};

// One call with all its attempts. Kept alive by the transport or the scheduler, whichever calls
// back next.
class UpstreamClient::Attempts final : public http::HttpTransport::Call,
                                       public std::enable_shared_from_this<Attempts> {
 public:
  Attempts(Shared* shared, const routes::Route& route, google::protobuf::Message* response,
           const CallContext& context, Done done)
      : shared_(shared),
        route_(route),
        row_(shared->rows.at(&route)),
        response_(response),
        context_(context),
        done_(std::move(done)) {}

  void Start(const google::protobuf::Message& request, routes::RestRequest rest,
             std::shared_ptr<const Credentials::Key> key) {
    if (const auto* asked = row_.subject.asked) {
      subject_ = request.GetReflection()->GetString(request, asked);
    }
    rest_ = std::move(rest);
    key_ = std::move(key);
    if (context_.trace.traceparent.empty()) context_.trace = NewTrace();
    Send();
  }

  void FailLater(absl::Status status) {
    shared_->scheduler->RunAfter(absl::ZeroDuration(),
                                 [self = shared_from_this(), status = std::move(status)]() mutable {
                                   self->Finish(std::move(status), Outcome::kNotSent);
                                 });
  }

  void Cancel() override {
    call_.Cancel();
    {
      MutexLock lock(&mutex_);
      if (pause_ != 0 && shared_->scheduler->Cancel(pause_)) {
        // Run Send now instead of after the pause; it notices the cancellation. Not called
        // directly, since a completion never runs inside the call that asks for it.
        pause_ = shared_->scheduler->RunAfter(absl::ZeroDuration(),
                                              [self = shared_from_this()] { self->Send(); });
      }
    }
  }

 private:
  void Send() {
    {
      MutexLock lock(&mutex_);
      pause_ = 0;
    }
    if (call_.cancelled()) return FinishCancelled();
    ++attempt_;
    started_ = shared_->clock->Now();
    span_ = StartAttemptSpan(shared_->options.tracer, route_, row_, context_.trace, attempt_);
    const bool last = !route_.is_read() || attempt_ >= shared_->options.retry.attempts;
    // The answer, and with it the next attempt, may arrive before Send returns.
    const auto self = shared_from_this();
    call_.Start([&] {
      return shared_->transport->Send(MakeRequest(last), [self](http::HttpResult result) {
        self->Answered(std::move(result));
      });
    });
  }

  // The request for one attempt. The last attempt moves its parts instead of copying them.
  http::HttpRequest MakeRequest(bool last) {
    const auto take = [last](std::string& part) { return last ? std::move(part) : part; };
    http::HttpRequest request;
    request.method = route_.options().method();
    request.target = take(rest_.target);
    request.body = take(rest_.body);
    request.repeatable = ToRepeatable(route_.options().repeat());
    request.deadline = std::min(context_.deadline, started_ + shared_->options.timeout);
    request.headers.reserve(6);
    request.headers.emplace_back("authorization", key_->authorization);
    request.headers.emplace_back("accept", "application/json");
    if (!request.body.empty()) request.headers.emplace_back("content-type", "application/json");
    if (route_.options().merchant_header()) {
      request.headers.emplace_back("x-merchant-id", context_.merchant_id);
    }
    const TraceContext& trace = HandedOn(span_, context_.trace);
    request.headers.emplace_back("traceparent", trace.traceparent);
    if (!trace.tracestate.empty()) request.headers.emplace_back("tracestate", trace.tracestate);
    return request;
  }

  void Answered(http::HttpResult result) {
    const absl::Time now = shared_->clock->Now();
    row_.seconds->Observe(absl::ToDoubleSeconds(now - started_),
                          span_ == nullptr ? "" : context_.trace.trace_id());
    EndAttemptSpan(std::move(span_), route_, result);
    const bool not_sent = !result.status.ok() && result.fate == http::RequestFate::kNotSent;
    if (!not_sent) left_ = true;
    if (!result.status.ok()) {
      row_.Count(not_sent ? Ending::kNotSent : Ending::kNoAnswer);
      Failure failure = FromTransport(result, route_.options().repeat());
      // The attempt's own timeout passed, not necessarily the caller's deadline.
      if (absl::IsDeadlineExceeded(result.status)) failure.retriable = now < context_.deadline;
      return RetryOrFinish(std::move(failure), now);
    }
    if (!route_.Succeeded(result.response.code)) {
      row_.Count(EndingOf(result.response.code));
      Failure failure = FromResponse(result.response, route_.options().repeat(),
                                     route_.options().body(), key_->secrets, now);
      LogTrouble(failure.status);
      return RetryOrFinish(std::move(failure), now);
    }
    CallResult done;
    json::ReadOptions options;
    options.unknown_field = [this](absl::string_view path) {
      shared_->unknown_fields.Count(path, context_.trace.trace_id());
    };
    options.unreadable_field = [this](absl::string_view path) {
      shared_->unreadable_fields.Count(path, context_.trace.trace_id());
    };
    absl::Status read = route_.ReadAnswer(result.response.body, response_, &done.page, options);
    if (!read.ok() && !result.response.body_trouble.empty()) {
      read = absl::InvalidArgumentError(result.response.body_trouble);
    }
    if (!read.ok()) {
      row_.Count(Ending::kMalformed);
      Failure failure = FromMalformedAnswer(result.response, route_.options().repeat(),
                                            read.message(), key_->secrets);
      LogTrouble(failure.status);
      return Finish(std::move(failure.status), failure.outcome);
    }
    row_.identifiers.Canonicalize(response_);
    if (IsAboutAnother()) {
      row_.Count(Ending::kMalformed);
      Failure failure = FromForeignAnswer(result.response.code, route_.options().repeat());
      return Finish(std::move(failure.status), failure.outcome);
    }
    row_.Count(Ending::kOk);
    if (route_.is_read()) shared_->budget.Succeeded();
    done.request_id = TakeCorrelationFrom(response_);
    done.outcome = Outcome::kExecuted;
    Tell(std::move(done));
  }

  // Whether the answer names a resource other than the requested one.
  bool IsAboutAnother() const {
    const Subject& subject = row_.subject;
    if (subject.asked == nullptr ||
        !response_->GetReflection()->HasField(*response_, subject.resource)) {
      return false;
    }
    const google::protobuf::Message& resource =
        response_->GetReflection()->GetMessage(*response_, subject.resource);
    const std::string id = resource.GetReflection()->GetString(resource, subject.id);
    return !id.empty() && id != CanonicalUuid(subject_);
  }

  // Logs errors that a person must investigate: an answer that is not the API's, or one with an id
  // by which the upstream's operators can find the request.
  void LogTrouble(const absl::Status& status) {
    ErrorDetail detail = GetErrorDetail(status);
    const bool odd = detail.reason == "UPSTREAM_MALFORMED" || detail.reason == "UPSTREAM_BLOCKED";
    if (!odd && !detail.metadata.contains("correlation_id")) return;
    const auto left_out = shared_->complaints.Take();
    if (!left_out) return;
    LogInfo("the upstream did not do what was asked",
            {{"rpc", std::string(route_.method()->name())},
             {"http_status", detail.metadata["http_status"]},
             {"reason", detail.reason},
             {"correlation_id", detail.metadata["correlation_id"]},
             {"trace_id", std::string(context_.trace.trace_id())},
             {"left_out", absl::StrCat(*left_out)}});
  }

  void RetryOrFinish(Failure failure, absl::Time now) {
    if (!route_.is_read() || !failure.retriable || call_.cancelled()) {
      return Finish(std::move(failure.status), failure.outcome);
    }
    thread_local absl::BitGen dice;
    const auto pause = PauseBefore(attempt_ + 1, shared_->options.retry, failure.retry_after,
                                   context_.deadline - now, absl::Uniform<double>(dice, 0.0, 1.0));
    if (!pause || !shared_->budget.Take()) {
      return Finish(std::move(failure.status), failure.outcome);
    }
    row_.retries->Add();
    response_->Clear();
    MutexLock lock(&mutex_);
    // If the call was cancelled in the meantime, it does not wait.
    pause_ = shared_->scheduler->RunAfter(call_.cancelled() ? absl::ZeroDuration() : *pause,
                                          [self = shared_from_this()] { self->Send(); });
  }

  void FinishCancelled() {
    http::HttpResult result;
    result.status = absl::CancelledError("cancelled");
    result.fate = http::RequestFate::kUnknown;  // of the attempts so far
    Failure failure = FromTransport(result, route_.options().repeat());
    Finish(std::move(failure.status), failure.outcome);
  }

  // Once an attempt may have been sent, a later attempt's "not sent" does not apply to the whole
  // call.
  void Finish(absl::Status status, Outcome outcome) {
    CallResult result;
    const bool improves = left_ && outcome == Outcome::kNotSent;
    result.outcome = improves ? Outcome::kUnknown : outcome;
    result.status = improves ? WithOutcome(status, result.outcome) : std::move(status);
    Tell(std::move(result));
  }

  // `done` is destroyed once it has run: it may own whatever holds the handle, which is this
  // object.
  void Tell(CallResult result) {
    Done done = std::move(done_);
    std::move(done)(std::move(result));
  }

  Shared* const shared_;
  const routes::Route& route_;
  const RouteRow& row_;
  google::protobuf::Message* const response_;
  CallContext context_;
  Done done_;
  routes::RestRequest rest_;
  std::shared_ptr<const Credentials::Key> key_;
  std::string subject_;  // the id in the path
  int attempt_ = 0;
  bool left_ = false;  // an attempt, or a part of it, may have reached the upstream
  absl::Time started_;
  std::unique_ptr<Span> span_;  // of the attempt under way; null in most calls
  PendingCall<http::HttpTransport::Call> call_;

  Mutex mutex_;
  Scheduler::TaskId pause_ ABSL_GUARDED_BY(mutex_) = 0;
};

UpstreamClient::UpstreamClient(http::HttpTransport* transport, const Credentials* credentials,
                               const routes::RouteTable* routes, Clock* clock, Scheduler* scheduler,
                               Metrics* metrics, UpstreamOptions options)
    : shared_(new Shared{
          .transport = transport,
          .credentials = credentials,
          .clock = clock,
          .scheduler = scheduler,
          .options = options,
          .budget = RetryBudget(),
          .rows = {},
          .unknown_fields = {metrics, "ipp_upstream_unknown_fields_total",
                             "Answers with a field that the contract does not know.",
                             LogLevel::kInfo,
                             "the upstream sends a field that the contract does not know"},
          .unreadable_fields = {metrics, "ipp_upstream_unreadable_fields_total", kUnreadableHelp,
                                LogLevel::kWarning,
                                "the upstream sends a field that cannot be read"},
          .complaints = {10, 20, clock}}) {
  for (const auto& [name, route] : routes->routes()) {
    if (!route.is_rest()) continue;
    shared_->rows.try_emplace(&route, route, metrics);
  }
}

UpstreamClient::~UpstreamClient() = default;

std::shared_ptr<UpstreamClient::Call> UpstreamClient::Start(
    const routes::Route& route, const google::protobuf::Message& request,
    google::protobuf::Message* response, const CallContext& context, Done done,
    std::optional<routes::PageQuery> page) {
  auto attempts =
      std::make_shared<Attempts>(shared_.get(), route, response, context, std::move(done));
  absl::StatusOr<routes::RestRequest> rest = route.Build(request, page);
  if (!rest.ok()) {
    attempts->FailLater(rest.status());
    return attempts;
  }
  auto key = shared_->credentials->Find(context.merchant_id);
  if (!key.ok()) {
    attempts->FailLater(MakeError(absl::StatusCode::kInternal,
                                  "the merchant has no key with the upstream",
                                  {.reason = "UPSTREAM_CREDENTIALS",
                                   .metadata = {{"outcome", "NOT_SENT"}, {"retry_safe", "true"}}}));
    return attempts;
  }
  attempts->Start(request, *std::move(rest), *std::move(key));
  return attempts;
}

}  // namespace ipp::upstream
