#pragma once

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/clock_and_random.h"
#include "client/retry.h"
#include "client/stream_call.h"
#include "ippclient/error.h"

namespace ipp::client {

// The heartbeat interval that streams ask for unless their options name one.
constexpr absl::Duration kDefaultHeartbeat = absl::Seconds(15);
// A stream that is silent for so many intervals counts as dead, whatever TCP says.
constexpr int kMissedHeartbeats = 3;

struct StreamRules {
  absl::Duration silence_limit;
  // OUT_OF_RANGE (retention has removed events) heals: the next stream goes on behind the gap.
  bool skips_expired = false;
  // The pause before a new stream: it doubles, and half of it is random.
  absl::Duration first_pause;
  absl::Duration longest_pause;
};

// Reads a stream that goes on for ever, one step at a time, and opens it anew when it breaks. Next
// on one thread; Cancel on any. `Response` has a `started` as its first message.
template <typename Response>
class StreamFollower {
 public:
  // Begins a stream: passes the reactor to a stub's async method. Runs on the thread in Next. The
  // request must outlive this call: gRPC reads it after `Open` has returned.
  using Open = std::function<void(grpc::ClientContext*, grpc::ClientReadReactor<Response>*)>;

  struct Step {
    enum class Kind {
      kMessage,  // `message`, until the next call.
      kBroken,   // The stream broke: `status`; the next one is opened after `retry_in`.
      kNothing,  // The time passed.
      kEnded,    // Ended for good: `status`, OK after Cancel. Returned again each time.
    };
    Kind kind;
    const Response* message = nullptr;
    grpc::Status status = {};
    absl::Duration retry_in = {};
  };

  StreamFollower(const StreamRules& rules, ClockAndRandom* clock, Open open)
      : rules_(rules),
        clock_(*clock),
        open_(std::move(open)),
        backoff_(rules.first_pause, rules.longest_pause),
        open_at_(clock_.Now()) {}

  Step Next(absl::Duration until) {
    if (over_) return {.kind = Step::Kind::kEnded, .status = *over_};
    if (call_ == nullptr) {
      Await(std::min(until, open_at_), [] { return false; });
      if (Cancelled()) return Ended(grpc::Status::OK);
      if (clock_.Now() < open_at_) return {.kind = Step::Kind::kNothing};
      call_ = std::make_unique<StreamCall<Response>>(&wake_);
      listening_since_ = clock_.Now();
      call_->Start(open_);
    } else if (std::exchange(taken_, false)) {
      listening_since_ = clock_.Now();
      call_->ReadNext();
    }
    const absl::Duration dead_at = listening_since_ + rules_.silence_limit;
    Await(std::min(until, dead_at), [this] { return call_->HasMessage() || call_->HasEnded(); });
    if (Cancelled()) return Ended(grpc::Status::OK);
    return Take();
  }

  void Cancel() {
    MutexLock lock(&wake_.mutex);
    cancelled_ = true;
    wake_.changed.SignalAll();
  }

 private:
  // Evaluates the stream after a wait.
  Step Take() {
    bool ready = false;
    bool ended = false;
    {
      MutexLock lock(&wake_.mutex);
      ready = call_->HasMessage();
      ended = call_->HasEnded();
    }
    if (ready) {
      taken_ = true;
      // The first message alone does not prove a working stream.
      if (!call_->message().has_started()) backoff_.Reset();
      return {.kind = Step::Kind::kMessage, .message = &call_->message()};
    }
    if (ended) return Broken(call_->status());
    if (clock_.Now() < listening_since_ + rules_.silence_limit) {
      return {.kind = Step::Kind::kNothing};
    }
    return Broken(
        {grpc::StatusCode::UNAVAILABLE, absl::StrCat("no message and no heartbeat for ",
                                                     absl::FormatDuration(rules_.silence_limit))});
  }

  Step Broken(const grpc::Status& status) {
    const bool fails_on_loss =
        status.error_code() == grpc::StatusCode::OUT_OF_RANGE && !rules_.skips_expired;
    if (fails_on_loss || !RetryHeals(status.error_code())) return Ended(status);
    Step step{.kind = Step::Kind::kBroken, .status = status};  // the call owns it
    call_.reset();
    taken_ = false;
    step.retry_in = std::max(backoff_.Next(clock_.Random()),
                             DecodeError(step.status).retry_delay.value_or(absl::ZeroDuration()));
    open_at_ = clock_.Now() + step.retry_in;
    return step;
  }

  Step Ended(const grpc::Status& status) {
    over_ = status;
    call_.reset();
    return {.kind = Step::Kind::kEnded, .status = *over_};
  }

  // Waits until `done`, evaluated under the lock, or Cancel, or the time.
  template <typename Done>
  void Await(absl::Duration until, Done done) {
    MutexLock lock(&wake_.mutex);
    while (!cancelled_ && !done() && clock_.Now() < until) {
      clock_.Wait(until, &wake_.changed, &wake_.mutex);
    }
  }

  bool Cancelled() const {
    MutexLock lock(&wake_.mutex);
    return cancelled_;
  }

  const StreamRules rules_;
  ClockAndRandom& clock_;
  const Open open_;
  Backoff backoff_;

  mutable Wake wake_;
  bool cancelled_ ABSL_GUARDED_BY(wake_.mutex) = false;

  // Used by the thread in Next only.
  std::unique_ptr<StreamCall<Response>> call_;  // none: between two streams
  bool taken_ = false;                          // call_'s message was returned
  absl::Duration listening_since_;              // for the next message
  absl::Duration open_at_;                      // end of the pause
  std::optional<grpc::Status> over_;            // for good
};

}  // namespace ipp::client
