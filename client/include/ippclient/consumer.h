#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "kustom/ipp/v1/shared_subscription.pb.h"

namespace ipp::client {

class ClockAndRandom;
class ConsumeRun;
struct Lease;
class Settler;

// What a handler says of its event. What holds no secret: a reason is stored, and shown to people.
class Handled {
 public:
  // Done. The session goes on.
  static Handled Acknowledge();
  // Not now: deliver it again, after `delay` (at most 1 h), or when the gateway thinks right.
  static Handled Retry(absl::string_view reason = "",
                       std::optional<absl::Duration> delay = std::nullopt);
  // It cannot be handled: set it aside for people. The session goes on.
  static Handled Park(absl::string_view reason);
  // Given back unhandled, by a program that ends: no attempt, another pod gets it at once.
  static Handled Release();

  // OK acknowledges. Any other status is a retry, of which only the code is sent: its text may hold
  // secrets. A handler may so return absl::Status.
  Handled(const absl::Status& status);  // NOLINT(google-explicit-constructor)

  // The action; without the lease.
  const kustom::ipp::v1::Settlement& settlement() const { return settlement_; }

 private:
  Handled() = default;
  kustom::ipp::v1::Settlement settlement_;
};

// An event under a lease, as long as its handler runs. Thread-safe.
class Delivery {
 public:
  Delivery(std::shared_ptr<Lease> lease, Settler* settler);  // for this library

  // `event_id` is the same in every attempt: a handler that must not do a thing twice keeps it in
  // its own transaction.
  const kustom::ipp::v1::SessionEvent& event() const;
  int attempt() const;    // 1 for the first delivery
  bool redriven() const;  // it was parked before

  // True: another pod has the event, or may get it. Commit nothing more for it; what the handler
  // returns is not used.
  bool lease_lost() const;
  // Waits until the lease is lost, at most `limit`. True if it is.
  bool WaitLost(absl::Duration limit) const;
  // Asks the gateway whether the event is still this handler's, and extends the lease: call it
  // before a commit that must not happen twice. False: the lease is lost, also when the gateway
  // does not answer until it is over.
  bool Check();

 private:
  const std::shared_ptr<Lease> lease_;  // the library's book of leases has it, too
  Settler& settler_;
};

struct ConsumerOptions {
  // Its `name` is required. With a `start` it is made first, unless it is there; with other
  // settings that ends with ALREADY_EXISTS (SUBSCRIPTION_EXISTS). Without one it must be there.
  kustom::ipp::v1::SharedSubscription subscription;

  int max_in_flight = 16;  // events that this program may have at once, 1 to 256
  int parallel = 0;        // handlers that run at once; 0: max_in_flight
  std::string consumer;    // who receives, for people; empty: the host's name
  // Go on behind events that retention has removed. Without it that ends with OUT_OF_RANGE
  // (CURSOR_EXPIRED).
  bool skip_expired = false;

  // A lease was lost: another pod has the event, or may get it. On a thread of its own, while the
  // handler may still run. May be empty, as may the next two, which run on the thread in Run.
  std::function<void(const Delivery& delivery)> on_lease_lost = nullptr;
  // A stream has begun: the first one, or one after a reconnect.
  std::function<void(const kustom::ipp::v1::ReceiveStarted& started)> on_started = nullptr;
  // A stream broke; a new one follows after `retry_in`.
  std::function<void(const grpc::Status& status, absl::Duration retry_in)> on_disconnected =
      nullptr;
  // Called for each call's context, for example to add metadata. On any thread.
  std::function<void(grpc::ClientContext*)> prepare = nullptr;

  // What the gateway is asked for; a stream that is silent for three of them counts as dead.
  absl::Duration heartbeat = absl::Seconds(15);
  absl::Duration call_timeout = absl::Seconds(10);  // of one try of a unary call
  absl::Duration make_timeout = absl::Seconds(30);  // for all tries to make the subscription
  // After a stop: how long handlers that run keep their leases, and then how long what they have
  // returned may take to be settled.
  absl::Duration stop_timeout = absl::Seconds(10);

  // The pauses before a call is repeated, and before a new stream: they double, half is random, and
  // none is shorter than the gateway asks for.
  absl::Duration first_pause = absl::Milliseconds(100);
  absl::Duration longest_pause = absl::Seconds(5);
  absl::Duration initial_backoff = absl::Milliseconds(250);
  absl::Duration max_backoff = absl::Seconds(30);

  // Clock and random numbers, for this library's own tests. nullptr: the real ones.
  ClockAndRandom* clock = nullptr;
};

// Handles the events of a shared subscription, in one pod or ten: each event goes to one of them,
// at least once, and those of a session one after another.
//
// The handler runs on up to `parallel` threads at once; what it returns is settled, and repeated
// until it is answered or its lease is over. An exception that leaves it is a retry, of which only
// the type is sent. Leases are extended while handlers run and while events wait for one. A broken
// stream is opened anew, and leases of the stream before stay valid.
class Consumer {
 public:
  using Options = ConsumerOptions;
  using Handler = std::function<Handled(Delivery& delivery)>;

  Consumer(std::shared_ptr<grpc::Channel> channel, Options options);
  ~Consumer();  // cancels a consumer begun by Start, and waits for its end
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  // Blocks until Cancel() (then OK) or an error that a retry cannot resolve: INVALID_ARGUMENT,
  // PERMISSION_DENIED, UNAUTHENTICATED, NOT_FOUND, UNIMPLEMENTED, OUT_OF_RANGE, and what making the
  // subscription ends with. Then it gives back what no handler has begun, and returns when the
  // handlers have returned and what they said is settled. A handler that runs longer than
  // `stop_timeout` is waited for, but its lease is no longer extended.
  //
  // Call either Run or Start, once.
  grpc::Status Run(const Handler& handler);

  // Runs on a thread of its own; returns at once.
  void Start(Handler handler);
  // Waits for the end of the consumer that Start began; returns what Run would. Must not be called
  // by the handler.
  grpc::Status Wait();

  // Ends the consumer, also before it has begun. Any thread, also a handler's, any number of times.
  // Handlers that have begun are not cut off.
  void Cancel();

 private:
  const std::unique_ptr<ConsumeRun> run_;
  std::thread thread_;
  grpc::Status ended_;  // written by thread_, read after it was joined
};

}  // namespace ipp::client
