#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/mutex.h"
#include "server/http/http_transport.h"

namespace ipp::http {

// An HttpTransport without a network, for the tests of what stands on one. It keeps the contract of
// HttpTransport (tests/http runs the same suite over it and over the real one), in two steps:
//
//   Send()  queues the request; nothing happens yet
//   Run()   sends what is queued, heeds cancellations and deadlines, and runs each `done` that is
//           due, on the calling thread: the "thread of the transport" is the one that calls Run()
//
// What becomes of a request that is sent: the oldest scripted answer is used up; without one the
// handler is asked; without that it waits for Release(). Thread-safe; time is the clock's.
class FakeTransport final : public HttpTransport {
 public:
  explicit FakeTransport(Clock* clock, size_t max_in_flight = 512,
                         absl::Duration mutation_limit = absl::Seconds(60))
      : clock_(clock), max_in_flight_(max_in_flight), mutation_limit_(mutation_limit) {}

  // Ends what is under way with CANCELLED, and runs each `done`.
  ~FakeTransport() override {
    while (true) {
      std::deque<std::shared_ptr<FakeCall>> rest;
      {
        MutexLock lock(&mutex_);
        rest.swap(calls_);
      }
      if (rest.empty()) return;
      for (const auto& call : rest) {
        Finish(*call, Failed(absl::CancelledError("the transport ends"),
                             call->sent ? RequestFate::kUnknown : RequestFate::kNotSent));
      }
    }
  }

  int concurrency() const override { return static_cast<int>(max_in_flight_); }

  static HttpResult Answered(int code, std::string body = "", std::vector<Header> headers = {}) {
    return {absl::OkStatus(), RequestFate::kSent, {code, std::move(headers), std::move(body)}};
  }
  static HttpResult Failed(absl::Status status, RequestFate fate) {
    return {std::move(status), fate, {}};
  }

  // Scripts the next answers, in the order in which requests are sent. A result with kNotSent
  // stands for a connection that could not be made: the request does not show in requests().
  void Answer(int code, std::string body = "", std::vector<Header> headers = {}) {
    Push({false, Answered(code, std::move(body), std::move(headers))});
  }
  void Fail(absl::Status status, RequestFate fate) {
    Push({false, Failed(std::move(status), fate)});
  }
  // The request waits for Release(), Cancel() or its deadline.
  void Hold() { Push({true, {}}); }

  // Answers each request for which nothing is scripted; without a value it waits, as with Hold().
  // Runs inside Run(); must not call back.
  void HandleWith(std::function<std::optional<HttpResult>(const HttpRequest&)> handler) {
    MutexLock lock(&mutex_);
    handler_ = std::move(handler);
  }

  // Ends the oldest request that waits, on the next Run(). False when none waits.
  bool Release(HttpResult result) {
    MutexLock lock(&mutex_);
    for (const auto& call : calls_) {
      if (!call->sent || call->answered) continue;
      call->result = std::move(result);
      call->answered = true;
      return true;
    }
    return false;
  }

  // Returns how many `done` ran. One round: what they send in turn waits for the next call.
  size_t Run() {
    std::deque<std::shared_ptr<FakeCall>> over;
    {
      MutexLock lock(&mutex_);
      const absl::Time now = clock_->Now();
      for (const auto& call : calls_) Step(*call, now);
      for (const auto& call : calls_) {
        if (call->answered) over.push_back(call);
      }
      std::erase_if(calls_, [](const auto& call) { return call->answered; });
    }
    for (const auto& call : over) Finish(*call, std::move(call->result));
    return over.size();
  }
  // Run() until nothing more comes of it.
  size_t RunAll() {
    size_t all = 0;
    while (const size_t some = Run()) all += some;
    return all;
  }

  // What the upstream saw, oldest first; kept after the answer.
  std::vector<HttpRequest> requests() const {
    MutexLock lock(&mutex_);
    return requests_;
  }
  // Queued or waiting.
  size_t in_flight() const {
    MutexLock lock(&mutex_);
    return calls_.size();
  }

  std::shared_ptr<Call> Send(HttpRequest request, Done done) override {
    auto call = std::make_shared<FakeCall>();
    call->request = std::move(request);
    call->done = std::move(done);
    MutexLock lock(&mutex_);
    if (calls_.size() >= max_in_flight_) {
      call->answered = true;
      call->result = Failed(absl::ResourceExhaustedError("too many requests in flight"),
                            RequestFate::kNotSent);
    }
    calls_.push_back(call);
    return call;
  }

 private:
  struct FakeCall final : Call {
    void Cancel() override {
      MutexLock lock(&mutex);
      cancelled = true;
    }
    bool IsCancelled() {
      MutexLock lock(&mutex);
      return cancelled;
    }

    Mutex mutex;
    bool cancelled ABSL_GUARDED_BY(mutex) = false;
    // The rest belongs to the transport, under its lock until answered.
    HttpRequest request;
    Done done;
    bool sent = false;
    bool answered = false;
    absl::Time sent_at;
    HttpResult result;
  };
  struct Scripted {
    bool hold = false;
    HttpResult result;
  };

  void Push(Scripted scripted) {
    MutexLock lock(&mutex_);
    script_.push_back(std::move(scripted));
  }

  void Step(FakeCall& call, absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!call.answered && !EndsEarly(call, now) && !call.sent) {
      call.sent = true;
      call.sent_at = now;
      Scripted next{true, {}};
      if (!script_.empty()) {
        next = std::move(script_.front());
        script_.pop_front();
      } else if (handler_) {
        if (auto result = handler_(call.request); result.has_value()) {
          next = {false, *std::move(result)};
        }
      }
      call.answered = !next.hold;
      call.result = std::move(next.result);
      if (!call.answered || call.result.status.ok() || call.result.fate != RequestFate::kNotSent) {
        requests_.push_back(call.request);
      }
    }
  }

  bool EndsEarly(FakeCall& call, absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const bool goes_on = call.sent && call.request.repeatable == Repeatable::kNo;
    const absl::Time end = goes_on ? call.sent_at + mutation_limit_ : call.request.deadline;
    if (call.IsCancelled() && !goes_on) {
      call.result.status = absl::CancelledError("cancelled");
    } else if (now >= end) {
      call.result.status = absl::DeadlineExceededError("the deadline passed");
    } else {
      return false;
    }
    call.result.fate = call.sent ? RequestFate::kUnknown : RequestFate::kNotSent;
    call.answered = true;
    return true;
  }

  static void Finish(FakeCall& call, HttpResult result) {
    Done done = std::move(call.done);
    std::move(done)(std::move(result));
  }

  Clock* const clock_;
  const size_t max_in_flight_;
  const absl::Duration mutation_limit_;
  mutable Mutex mutex_;
  std::deque<std::shared_ptr<FakeCall>> calls_ ABSL_GUARDED_BY(mutex_);
  std::deque<Scripted> script_ ABSL_GUARDED_BY(mutex_);
  std::function<std::optional<HttpResult>(const HttpRequest&)> handler_ ABSL_GUARDED_BY(mutex_);
  std::vector<HttpRequest> requests_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ipp::http
