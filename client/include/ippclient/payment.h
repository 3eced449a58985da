#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "kustom/ipp/v1/session.pb.h"

namespace ipp::client {

class CollectRun;
class Machine;

// How a Payment ended.
enum class PaymentEnd {
  kPaid,        // FINALIZED; `session.order_id()` is set.
  kCancelled,   // By the clerk, by another call, or by this Payment when it was stopped.
  kExpired,     // Its time ran out.
  kFailed,      // It failed.
  kNotCreated,  // There is no session and there will be none: refused, or never sent.
  kStopped,     // Cancel() or the timeout came first. The session may go on.
  kGaveUp,      // An error that asking again does not heal. The session may go on.
};

// What may be said of the money.
enum class Money {
  kNotKnown,  // Perhaps. Collect the same request again, with `resumed`, to find out.
  kPaid,
  kNotPaid,
};

struct PaymentResult {
  PaymentEnd end = PaymentEnd::kGaveUp;
  Money money = Money::kNotKnown;
  kustom::ipp::v1::Session session;  // as it last was known; empty when none was seen
  std::string request_id;
  // OK after the first four; kNotCreated: why not; kStopped: CANCELLED, DEADLINE_EXCEEDED, or the
  // error that was still in the way; kGaveUp: the error. DecodeError reads it.
  grpc::Status status;
};

struct PaymentOptions {
  // For all of it, from Collect() on.
  absl::Duration timeout = absl::Minutes(10);

  // No try to create the session begins later than this after Collect(), so that no payment turns
  // up on a phone that nobody expects any more.
  absl::Duration create_timeout = absl::Seconds(30);

  // What a Cancel(), or the timeout, means for the session.
  enum class OnStop {
    // It is cancelled at Kustom, and the result says what became true: paid, if that was faster.
    kCancelSession,
    // Nothing: it is only no longer watched. What becomes of it is in the event log.
    kLeaveSession,
  };
  OnStop on_stop = OnStop::kCancelSession;
  // kCancelSession: how long Collect() may go on after the stop for that.
  absl::Duration stop_timeout = absl::Seconds(10);

  // The request's request_id may have been sent before, by a process that did not live to see the
  // end: then a refusal of this call proves nothing of that one, and only what the gateway has
  // written down is believed.
  bool resumed = false;

  // Hears each step, the session's creation first, on the thread in Collect(). May call Cancel().
  // Steps that were taken while the connection was broken come as one.
  std::function<void(const kustom::ipp::v1::WatchSessionResponse& step)> on_step = nullptr;

  // Called for each call's context, for example to add metadata. The deadline is set.
  std::function<void(grpc::ClientContext*)> prepare = nullptr;

  // The pause before a call is repeated: doubles, half of it at random.
  absl::Duration first_pause = absl::Milliseconds(100);
  absl::Duration longest_pause = absl::Seconds(5);

  // Time and chance, for this library's own tests. nullptr: the real ones.
  Machine* machine = nullptr;
};

// One payment from the request to its end: creates the session, follows it, and says what became of
// the money.
//
// It never creates twice: every try carries the same request_id, which the gateway knows from the
// first on. It survives a broken connection and a gateway that restarts, at every stage: a create
// is repeated by the rules of create.h; one of which no clear answer came is looked for by its
// request_id, by WatchSession and GetCreateOutcome; a watch that breaks is asked for again.
//
// GetCreateOutcome needs the permission `outcomes.read`. Without it a create of which nothing was
// heard, and which never happened, is kNotKnown at the timeout instead of kNotCreated.
//
// A CANCELLED session can still turn out to be paid, rarely and later: the event log tells that as
// SESSION_EVENT_TYPE_CORRECTED.
class Payment {
 public:
  // The request as for CreateSession. An empty request_id is filled in. Makes no call. The channel
  // of a Connection: its pings notice a peer that is gone while nothing happens to the session.
  Payment(std::shared_ptr<grpc::Channel> channel, kustom::ipp::v1::CreateSessionRequest request,
          PaymentOptions options = {});
  ~Payment();
  Payment(const Payment&) = delete;
  Payment& operator=(const Payment&) = delete;

  // To be kept with the order, before Collect().
  const std::string& request_id() const;

  // Blocks until it is over. Call it once.
  PaymentResult Collect();

  // Stops it, as the options say, also before it has begun. Any thread, any number of times.
  void Cancel();

 private:
  const std::unique_ptr<CollectRun> run_;
};

}  // namespace ipp::client
