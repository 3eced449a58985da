#pragma once

#include <grpcpp/grpcpp.h>

#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "kustom/ipp/v1/shared_subscription.grpc.pb.h"
#include "server/base/mutex.h"
#include "tests/client/scripted_stream.h"

namespace ipp::client {

// A SharedSubscriptionService that plays one script a stream, in order. Past the last one it
// answers NOT_FOUND, which ends a client that reconnects more often than expected. Set what is
// public before the first call.
class ScriptedSubscriptions final
    : public kustom::ipp::v1::SharedSubscriptionService::CallbackService {
 public:
  using Received = kustom::ipp::v1::ReceiveSessionEventsResponse;

  // A settlement that came, in the order of their arrival.
  struct Settled {
    kustom::ipp::v1::Settlement settlement;
    absl::Duration at;
  };

  // The test's clock.
  std::function<absl::Duration()> now;
  // How the first calls end; later ones succeed.
  std::deque<grpc::Status> make_ends, settle_ends;
  // What the gateway says of a settlement; empty: that it counts.
  std::function<kustom::ipp::v1::SettlementOutcome(const kustom::ipp::v1::Settlement&)> judge;

  void Add(StreamScript<Received> script) {
    MutexLock lock(&mutex_);
    scripts_.push_back(std::move(script));
  }

  // Waits until so many settlements have come.
  std::vector<Settled> AwaitSettled(size_t count) {
    MutexLock lock(&mutex_);
    while (settled_.size() < count) changed_.Wait(&mutex_);
    return settled_;
  }
  // When the calls to make the subscription, and to receive, have come.
  std::vector<absl::Duration> made_at() {
    MutexLock lock(&mutex_);
    return made_at_;
  }
  std::vector<absl::Duration> received_at() {
    MutexLock lock(&mutex_);
    return received_at_;
  }
  std::vector<kustom::ipp::v1::ReceiveSessionEventsRequest> requests() {
    MutexLock lock(&mutex_);
    return requests_;
  }

  grpc::ServerUnaryReactor* CreateSharedSubscription(
      grpc::CallbackServerContext* context, const kustom::ipp::v1::CreateSharedSubscriptionRequest*,
      kustom::ipp::v1::CreateSharedSubscriptionResponse*) override {
    MutexLock lock(&mutex_);
    made_at_.push_back(now());
    return Finished(context, Next(&make_ends));
  }

  grpc::ServerWriteReactor<Received>* ReceiveSessionEvents(
      grpc::CallbackServerContext*,
      const kustom::ipp::v1::ReceiveSessionEventsRequest* request) override {
    MutexLock lock(&mutex_);
    received_at_.push_back(now());
    requests_.push_back(*request);
    StreamScript<Received> script{.end = {grpc::StatusCode::NOT_FOUND, "no script is left"}};
    if (!scripts_.empty()) {
      script = std::move(scripts_.front());
      scripts_.pop_front();
    }
    return new ScriptedStream<Received>(std::move(script), &progress_);
  }

  grpc::ServerUnaryReactor* SettleSessionEvents(
      grpc::CallbackServerContext* context,
      const kustom::ipp::v1::SettleSessionEventsRequest* request,
      kustom::ipp::v1::SettleSessionEventsResponse* response) override {
    MutexLock lock(&mutex_);
    for (const auto& settlement : request->settlements()) {
      settled_.push_back({settlement, now()});
      const auto counts = settlement.has_extend() ? kustom::ipp::v1::SETTLEMENT_OUTCOME_EXTENDED
                                                  : kustom::ipp::v1::SETTLEMENT_OUTCOME_SETTLED;
      response->add_results()->set_outcome(judge ? judge(settlement) : counts);
    }
    changed_.SignalAll();
    return Finished(context, Next(&settle_ends));
  }

 private:
  static grpc::Status Next(std::deque<grpc::Status>* ends) {
    if (ends->empty()) return grpc::Status::OK;
    grpc::Status next = ends->front();
    ends->pop_front();
    return next;
  }
  static grpc::ServerUnaryReactor* Finished(grpc::CallbackServerContext* context,
                                            const grpc::Status& status) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(status);
    return reactor;
  }

  StreamProgress progress_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<StreamScript<Received>> scripts_ ABSL_GUARDED_BY(mutex_);
  std::vector<kustom::ipp::v1::ReceiveSessionEventsRequest> requests_ ABSL_GUARDED_BY(mutex_);
  std::vector<Settled> settled_ ABSL_GUARDED_BY(mutex_);
  std::vector<absl::Duration> made_at_ ABSL_GUARDED_BY(mutex_);
  std::vector<absl::Duration> received_at_ ABSL_GUARDED_BY(mutex_);
};

// Long, so that in a test no extension is due by itself.
constexpr absl::Duration kScriptedLease = absl::Hours(1);

inline ScriptedSubscriptions::Received Receiving() {
  ScriptedSubscriptions::Received message;
  message.mutable_started()->mutable_subscription()->mutable_lease()->set_seconds(
      absl::ToInt64Seconds(kScriptedLease));
  return message;
}

// Event `id` under the lease "lease-<id>".
inline ScriptedSubscriptions::Received LeasedOf(const std::string& id, int attempt = 1) {
  ScriptedSubscriptions::Received message;
  message.mutable_leased()->mutable_event()->set_event_id(id);
  message.mutable_leased()->set_lease(absl::StrCat("lease-", id));
  message.mutable_leased()->set_attempt(attempt);
  return message;
}

}  // namespace ipp::client
