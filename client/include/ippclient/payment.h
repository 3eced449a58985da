#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "kustom/ipp/v1/session.pb.h"

namespace ipp::client {

class CollectRun;
class ClockAndRandom;

// How a Payment ended.
enum class PaymentEnd {
  kPaid,        // FINALIZED; `session.order_id()` is set.
  kCancelled,   // By the clerk, by another call, or by this Payment when it was stopped.
  kExpired,     // The session's lifetime ended.
  kFailed,      // It failed.
  kNotCreated,  // There is no session and there will be none: refused, or never sent.
  kStopped,     // Cancel() or the timeout came first. The session may continue.
  kGaveUp,      // An error that a retry does not resolve. The session may continue.
};

// Whether the money was paid.
enum class Money {
  kNotKnown,  // Unknown. Collect the same request again, with `resumed`, to find out.
  kPaid,
  kNotPaid,
};

struct PaymentResult {
  PaymentEnd end = PaymentEnd::kGaveUp;
  Money money = Money::kNotKnown;
  kustom::ipp::v1::Session session;  // last known state; empty if none was seen
  std::string request_id;
  // OK for the first four ends; kNotCreated: the reason; kStopped: CANCELLED, DEADLINE_EXCEEDED, or
  // the last error; kGaveUp: the error. See DecodeError.
  grpc::Status status;
};

struct PaymentOptions {
  // The limit for the whole payment, from the call of Collect().
  absl::Duration timeout = absl::Minutes(10);

  // No attempt to create the session begins later than this after Collect(), so that no payment
  // appears on the phone when it is no longer expected.
  absl::Duration create_timeout = absl::Seconds(30);

  // What Cancel(), or the timeout, does to the session.
  enum class OnStop {
    // The session is cancelled at Kustom, and the result says what became true: paid, if that was
    // faster.
    kCancelSession,
    // The session continues and is only no longer watched. Its end is in the event log.
    kLeaveSession,
  };
  OnStop on_stop = OnStop::kCancelSession;
  // For kCancelSession: how long Collect() may continue after the stop to cancel the session.
  absl::Duration stop_timeout = absl::Seconds(10);

  // Set if the request_id may have been sent before, by a process that ended before it knew the
  // result. A refusal of this call then proves nothing about the earlier one; only what the gateway
  // has recorded counts.
  bool resumed = false;

  // Called for each step, first the creation of the session, on the thread in Collect(). May call
  // Cancel(). Several steps during a broken connection are reported as one.
  std::function<void(const kustom::ipp::v1::WatchSessionResponse& step)> on_step = nullptr;

  // Called for each call's context, for example to add metadata. The deadline is already set.
  std::function<void(grpc::ClientContext*)> prepare = nullptr;

  // The pause before a retry: it doubles, and half of it is random.
  absl::Duration first_pause = absl::Milliseconds(100);
  absl::Duration longest_pause = absl::Seconds(5);

  // What the watch asks of the gateway; a stream that is silent for three of them counts as dead.
  absl::Duration heartbeat = absl::Seconds(15);
  // How long a session is waited for by its request_id before the create's outcome is read again.
  absl::Duration look = absl::Seconds(10);
  // After the last create: how long it may still be on its way. The gateway receives a deadline as
  // the time that is left.
  absl::Duration answer_allowance = absl::Seconds(1);

  // Clock and random numbers, for this library's own tests. nullptr: the real ones.
  ClockAndRandom* clock = nullptr;
};

// One payment from the request to its end: creates the session, follows it, and reports whether it
// was paid.
//
// It never creates twice: every attempt carries the same request_id, by which the gateway
// recognises it. It survives a broken connection and a restart of the gateway at every stage: a
// create is retried by the rules of create.h; a create without a clear answer is looked up by its
// request_id (WatchSession and GetCreateOutcome); a broken watch is opened again.
//
// GetCreateOutcome needs the permission `outcomes.read`. Without it, a create that got no answer
// and never happened ends as kNotKnown at the timeout instead of kNotCreated.
//
// Rarely, a CANCELLED session turns out to be paid later: the event log reports that as
// SESSION_EVENT_TYPE_CORRECTED.
class Payment {
 public:
  // `request` as for CreateSession; an empty request_id is filled in. Makes no call. Use the
  // channel of a Connection: its pings notice a dead peer while nothing happens to the session.
  Payment(std::shared_ptr<grpc::Channel> channel, kustom::ipp::v1::CreateSessionRequest request,
          PaymentOptions options = {});
  ~Payment();
  Payment(const Payment&) = delete;
  Payment& operator=(const Payment&) = delete;

  // Keep it with the order, before Collect().
  const std::string& request_id() const;

  // Blocks until the payment ends. Call it once.
  PaymentResult Collect();

  // Stops the payment as `on_stop` says, also before it has begun. Any thread, any number of times.
  void Cancel();

 private:
  const std::unique_ptr<CollectRun> run_;
};

}  // namespace ipp::client
