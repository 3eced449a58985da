#pragma once

#include <any>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/metrics.h"
#include "server/base/mutex.h"
#include "server/base/periodic_task.h"
#include "server/base/scheduler.h"
#include "server/events/event_hub.h"
#include "server/events/event_source.h"
#include "server/shared/spec.h"
#include "server/shared/work.h"
#include "server/store/store.h"

namespace ipp::shared {

struct SharedHubOptions {
  // How often a subscription with streams is looked at although nothing is known to have happened:
  // a lease may have expired, or another replica may have made an event deliverable.
  absl::Duration poll = absl::Seconds(1);
  // How often the counts of all subscriptions are read for the metrics.
  absl::Duration count_interval = absl::Seconds(15);
};

class Receiver;

// Gives the events of shared subscriptions to the streams of this replica.
//
// Claims. For each subscription with streams there is at most one claim (work.h) under way. It asks
// for as many events as the streams have room for, and each event goes to the stream with most
// room. The next claim begins when something happens: an event of the log that matches, a
// settlement, a new stream, a lease that ends; and once in a poll interval.
//
// Room. An event takes room in its stream from the claim until it is settled, or its lease expires.
// Settlements through this replica are seen at once, those through another one by reading the rows
// of a stream that is full, once in a poll interval.
//
// Threads: thread-safe. Locks are taken in the order stream, SharedHub, EventHub; no callback runs
// under a lock of this class.
//
// Metrics, all replicas together: ipp_shared_backlog_events, ipp_shared_oldest_unsettled_seconds,
// ipp_shared_out, ipp_shared_held, ipp_shared_parked, each with caller and subscription. Of this
// replica: ipp_shared_leases_total, ipp_shared_redeliveries_total, ipp_shared_settled_total,
// ipp_shared_lease_losses_total, ipp_shared_parked_total, ipp_shared_claim_failures_total.
class SharedHub {
 public:
  // All must outlive it.
  SharedHub(store::Store* store, events::EventHub* events, Scheduler* scheduler, Metrics* metrics,
            SharedHubOptions options = {});
  // Every Receiver must be destroyed before. Waits for the calls under way.
  ~SharedHub();

  // The caller's subscription of that name. NOT_FOUND / SUBSCRIPTION_NOT_FOUND; UNAVAILABLE /
  // STORE_UNAVAILABLE. `done` runs on a thread of the store, or inside the call. `fresh`: read it
  // from the store, although it may be known.
  void Find(const std::string& caller, const std::string& name, bool fresh,
            store::Done<SpecPtr> done);

  // The source of the events for one stream. `max_in_flight`: how many may be out at once.
  std::unique_ptr<Receiver> Receive(SpecPtr spec, std::string consumer, int max_in_flight);

  // The outcome of each settlement; leases are given by their tokens. Errors as of Find.
  void Settle(const std::string& caller, const std::string& name,
              std::vector<std::pair<LeaseToken, Settlement>> settlements,
              store::Done<std::vector<Settled>> done);

  // Something has become deliverable, or a subscription is gone.
  void Wake(int64_t subscription);
  void Forget(const std::string& caller, const std::string& name);

  // For a change of its own.
  uint64_t Random();

 private:
  friend class Receiver;
  struct Stream;
  struct Line;
  using StreamPtr = std::shared_ptr<Stream>;
  using Later = events::EventSource::Later;
  using Leases = std::vector<std::pair<LeaseToken, Settlement>>;
  // What is to be done after the lock is released.
  struct Todo {
    std::vector<std::pair<Later, absl::StatusOr<events::EventPtr>>> deliveries;
    std::vector<std::function<void()>> calls;
  };
  struct Counted {
    int64_t id = 0;
    std::string caller;
    std::string name;
    store::SharedCounts counts;
  };

  static void Do(Todo todo);
  // A call that will come back to this object begins or ends. The destructor waits for it.
  void Begun() ABSL_LOCKS_EXCLUDED(mutex_);
  void Ended() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<SpecPtr> Found(const std::string& caller, const std::string& name,
                                absl::StatusOr<std::any> read) ABSL_LOCKS_EXCLUDED(mutex_);

  // Begins a claim; if one is under way, another one follows it.
  void ClaimFor(Line& line, Todo* todo) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Claimed(const SpecPtr& spec, const std::vector<StreamPtr>& streams,
               absl::StatusOr<std::any> result) ABSL_LOCKS_EXCLUDED(mutex_);
  void Deliver(const std::vector<StreamPtr>& streams, const ClaimResult& claim,
               std::vector<events::EventPtr> made, const SpecPtr& spec, Todo* todo)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DeliverLater(Later later, absl::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static void Fail(Line& line, const absl::Status& status, Todo* todo);
  events::EventPtr MakeEvent(const Spec& spec, const Leased& leased) const;
  void Close(const StreamPtr& stream, Todo* todo) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EraseIfIdle(int64_t id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Gives back leases that reached no stream.
  void Release(const SpecPtr& spec, std::vector<Settlement> settlements, Todo* todo)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Settlements: shared_hub_settle.cc.
  void SettleWith(const SpecPtr& spec, Leases leases, store::Done<std::vector<Settled>> done)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void NoteSettled(int64_t id, const std::vector<Settlement>& settlements,
                   const std::vector<Settled>& settled) ABSL_LOCKS_EXCLUDED(mutex_);

  // What is learnt of the outside: shared_hub_watch.cc.
  void Watch(Todo* todo) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Follow(Todo* todo) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Note(const events::LogEvent& event, std::set<Line*>* touched)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void News(absl::StatusOr<events::EventPtr> event) ABSL_LOCKS_EXCLUDED(mutex_);
  void Poll() ABSL_LOCKS_EXCLUDED(mutex_);
  void CheckLeases(Line& line, Todo* todo) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Checked(int64_t id, const std::vector<SessionKey>& sessions, absl::StatusOr<std::any> read)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Count(PeriodicTask::Run run);
  void Show(const std::vector<Counted>& counted, absl::Time now);

  store::Store* const store_;
  events::EventHub* const events_;
  Scheduler* const scheduler_;
  Metrics* const metrics_;
  Counter& leases_;
  Counter& redeliveries_;
  Counter& settled_;
  Counter& losses_;
  Counter& parked_;
  Counter& claim_failures_;

  Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  int under_way_ ABSL_GUARDED_BY(mutex_) = 0;
  std::mt19937_64 random_ ABSL_GUARDED_BY(mutex_);
  std::map<std::pair<std::string, std::string>, SpecPtr> known_ ABSL_GUARDED_BY(mutex_);
  std::map<int64_t, std::unique_ptr<Line>> lines_ ABSL_GUARDED_BY(mutex_);
  // Follows the log from the first stream on. While it does, that counts as one call under way.
  std::unique_ptr<events::EventSource> log_ ABSL_GUARDED_BY(mutex_);
  bool watching_ ABSL_GUARDED_BY(mutex_) = false;

  // The series that were shown. Only within a run of count_task_.
  std::map<int64_t, Labels> shown_;

  PeriodicTask poll_task_;
  PeriodicTask count_task_;
};

// The events for one stream. See EventSource for its use.
class Receiver final : public events::EventSource {
 public:
  ~Receiver() override;

  events::EventPtr Next(Later later) override;
  events::EventPtr NextAtHand() override;
  bool Withdraw() override;
  // Its events are no place in the log.
  events::LogPlace place() const override { return {}; }

 private:
  friend class SharedHub;
  Receiver(SharedHub* hub, std::shared_ptr<SharedHub::Stream> stream)
      : hub_(hub), stream_(std::move(stream)) {}
  events::EventPtr Take() ABSL_EXCLUSIVE_LOCKS_REQUIRED(hub_->mutex_);

  SharedHub* const hub_;
  const std::shared_ptr<SharedHub::Stream> stream_;
};

}  // namespace ipp::shared
