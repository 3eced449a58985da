#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "client/clock_and_random.h"
#include "client/lease_book.h"
#include "client/stream_call.h"
#include "ippclient/consumer.h"
#include "kustom/ipp/v1/shared_subscription.grpc.pb.h"

namespace ipp::client {

// Makes the calls that a LeaseBook asks for, one at a time, on a thread of its own. Thread-safe.
class Settler {
 public:
  using Stub = kustom::ipp::v1::SharedSubscriptionService::Stub;

  // Uses `stub` and `options` as long as it lives.
  Settler(Stub* stub, const ConsumerOptions& options);
  ~Settler() { Close(absl::ZeroDuration()); }
  Settler(const Settler&) = delete;
  Settler& operator=(const Settler&) = delete;

  void Start();
  // Ends once everything is answered; at the latest after `limit`. No-op after the first time.
  void Close(absl::Duration limit);

  // See LeaseBook.
  std::shared_ptr<Lease> Hold(const kustom::ipp::v1::LeasedSessionEvent& leased,
                              absl::Duration length);
  bool Begin(Lease* lease);
  void Settle(const std::shared_ptr<Lease>& lease, kustom::ipp::v1::Settlement settlement);
  void ReleaseWaiting();
  void StopExtending();

  // See Delivery.
  bool IsLost(const Lease& lease);
  bool WaitLost(const Lease& lease, absl::Duration limit);
  bool Check(const std::shared_ptr<Lease>& lease);

 private:
  // A call under way. gRPC's thread writes `ended` under the lock.
  struct Call {
    LeaseBook::Batch batch;
    grpc::ClientContext context;
    kustom::ipp::v1::SettleSessionEventsRequest request;
    kustom::ipp::v1::SettleSessionEventsResponse response;
    absl::Duration sent_at;
    std::optional<grpc::Status> ended = std::nullopt;
  };

  void Run();
  std::unique_ptr<Call> Begin(LeaseBook::Batch batch) const;
  void Send(Call* call);
  void Finish(Call* call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(wake_.mutex);
  void TellLost();
  void Wait(absl::Duration until) ABSL_EXCLUSIVE_LOCKS_REQUIRED(wake_.mutex) {
    clock_.Wait(until, &wake_.changed, &wake_.mutex);
  }

  ClockAndRandom& clock_;
  Stub& stub_;
  const ConsumerOptions& options_;

  Wake wake_;
  LeaseBook book_ ABSL_GUARDED_BY(wake_.mutex);
  std::vector<std::shared_ptr<Lease>> untold_ ABSL_GUARDED_BY(wake_.mutex);
  absl::Duration end_at_ ABSL_GUARDED_BY(wake_.mutex) = absl::InfiniteDuration();
  bool settles_ ABSL_GUARDED_BY(wake_.mutex) = true;  // the first thread still runs

  std::thread thread_;  // settles
  std::thread teller_;  // calls on_lease_lost, which may take long
};

}  // namespace ipp::client
