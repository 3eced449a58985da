#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "client/clock_and_random.h"
#include "client/retry.h"
#include "client/stream_call.h"
#include "ippclient/payment.h"
#include "kustom/ipp/v1/outcome.grpc.pb.h"
#include "kustom/ipp/v1/session.grpc.pb.h"

namespace ipp::client {

// The implementation of Payment. Cancel on any thread, everything else on the thread in Collect.
//
// Create yields a session, or that there is none, or no result; then the outcome is looked up. A
// known session is followed. A stop ends that at once, or turns it into cancelling the session.
class CollectRun {
 public:
  CollectRun(std::shared_ptr<grpc::Channel> channel, kustom::ipp::v1::CreateSessionRequest request,
             PaymentOptions options);

  const std::string& request_id() const { return request_.request_id(); }
  PaymentResult Collect();
  void Cancel();

 private:
  // What ends a wait, if nothing else does.
  enum class Until {
    kStop,  // Cancel or the timeout
    kEnd,   // the stop timeout too: no further wait
  };
  using Result = std::optional<PaymentResult>;

  // A result ends the payment; nullopt continues it.
  Result Create();
  Result LookUp();
  // Follows the session until its end, a stop (empty), or the end of the stream.
  std::optional<grpc::Status> Follow();
  PaymentResult CancelSession();

  void Heard(const kustom::ipp::v1::WatchSessionResponse& step);
  void NoteTrouble(const grpc::Status& status);
  bool IsKnown() const { return !session_.session_id().empty(); }

  // The results.
  PaymentResult Finished() const;
  PaymentResult NotCreated(const grpc::Status& status) const;
  PaymentResult Stopped() const;
  PaymentResult GaveUp(const grpc::Status& status) const;
  PaymentResult ResultOf(PaymentEnd end, Money money, const grpc::Status& status) const;

  absl::Duration At(Until until) const ABSL_LOCKS_EXCLUDED(wake_.mutex);
  absl::Duration AtLocked(Until until) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(wake_.mutex);
  bool Is(Until until) const { return clock_.Now() >= At(until); }

  // Waits until `done`, evaluated under the lock, or until one of the times.
  template <typename Done>
  void Await(Until until, absl::Duration bound, Done done);
  void Pause(absl::Duration pause, Until until);
  // The pause before a retry of a call that ended with `status`.
  absl::Duration PauseAfter(const grpc::Status& status);
  // Makes one unary call; `start(context, done)` begins it. The call is cancelled when the wait for
  // it ends.
  template <typename Start>
  grpc::Status Call(absl::Duration deadline, Start start);
  void Prepare(absl::Duration deadline, grpc::ClientContext* context) const;

  ClockAndRandom& clock_;
  const std::unique_ptr<kustom::ipp::v1::SessionService::Stub> sessions_;
  const std::unique_ptr<kustom::ipp::v1::OutcomeService::Stub> outcomes_;
  const kustom::ipp::v1::CreateSessionRequest request_;
  const PaymentOptions options_;

  mutable Wake wake_;
  absl::Duration cancelled_at_ ABSL_GUARDED_BY(wake_.mutex) = absl::InfiniteDuration();

  // Used by the thread in Collect only.
  absl::Duration timeout_at_;
  absl::Duration create_until_;  // from then on no create can be under way at the gateway
  Backoff backoff_;
  bool may_look_up_ = true;
  kustom::ipp::v1::Session session_;  // last known state
  grpc::Status trouble_;              // the last error, if any
};

}  // namespace ipp::client
