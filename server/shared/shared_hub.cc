#include "server/shared/shared_hub.h"

#include <algorithm>
#include <set>

#include "server/base/error.h"
#include "server/base/protobuf_time.h"
#include "server/events/cursor.h"
#include "server/shared/shared_hub_parts.h"
#include "server/store/store_error.h"

namespace ipp::shared {
SharedHub::SharedHub(store::Store* store, events::EventHub* events, Scheduler* scheduler,
                     Metrics* metrics, SharedHubOptions options)
    : store_(store),
      events_(events),
      scheduler_(scheduler),
      metrics_(metrics),
      leases_(metrics->counter("ipp_shared_leases_total",
                               "Events of shared subscriptions given to a stream.")),
      redeliveries_(metrics->counter("ipp_shared_redeliveries_total",
                                     "Those of them that were given before.")),
      settled_(metrics->counter("ipp_shared_settled_total",
                                "Leases that were settled: acknowledged, retried, parked or "
                                "released.")),
      losses_(metrics->counter("ipp_shared_lease_losses_total",
                               "Settlements that came after the lease was lost.")),
      parked_(metrics->counter("ipp_shared_parked_total",
                               "Events of shared subscriptions that were given up.")),
      claim_failures_(metrics->counter("ipp_shared_claim_failures_total",
                                       "Claims of shared subscriptions that the store refused.")),
      random_(std::random_device()()),
      poll_task_(scheduler, options.poll, [this](PeriodicTask::Run) { Poll(); }),
      count_task_(scheduler, options.count_interval,
                  [this](PeriodicTask::Run run) { Count(std::move(run)); }) {
  poll_task_.Start();
  count_task_.Start();
}

SharedHub::~SharedHub() {
  poll_task_.Stop();
  count_task_.Stop();
  MutexLock lock(&mutex_);
  stopping_ = true;
  if (log_ != nullptr && log_->Withdraw()) --under_way_;
  while (under_way_ > 0) changed_.Wait(&mutex_);
}

void SharedHub::Do(Todo todo) {
  for (auto& [later, event] : todo.deliveries) std::move(later)(std::move(event));
  for (std::function<void()>& call : todo.calls) call();
}

void SharedHub::Begun() {
  MutexLock lock(&mutex_);
  ++under_way_;
}

void SharedHub::Ended() {
  MutexLock lock(&mutex_);
  --under_way_;
  changed_.SignalAll();
}

uint64_t SharedHub::Random() {
  MutexLock lock(&mutex_);
  return random_();
}

// ---- Subscriptions by name. ----

void SharedHub::Find(const std::string& caller, const std::string& name, bool fresh,
                     store::Done<SpecPtr> done) {
  if (!fresh) {
    SpecPtr known;
    {
      MutexLock lock(&mutex_);
      const auto found = known_.find({caller, name});
      if (found != known_.end()) known = found->second;
    }
    if (known != nullptr) return std::move(done)(std::move(known));
  }
  Begun();
  store_->ReadShared(
      [caller](store::SharedReads& reads) -> absl::StatusOr<std::any> {
        absl::StatusOr<std::vector<store::SharedRecord>> records = reads.List(&caller);
        if (!records.ok()) return records.status();
        return std::any(*std::move(records));
      },
      [this, caller, name, done = std::move(done)](absl::StatusOr<std::any> read) mutable {
        std::move(done)(Found(caller, name, std::move(read)));
        Ended();
      });
}

absl::StatusOr<SpecPtr> SharedHub::Found(const std::string& caller, const std::string& name,
                                         absl::StatusOr<std::any> read) {
  if (!read.ok()) return store::ForCallers(read.status());
  for (const store::SharedRecord& record :
       std::any_cast<const std::vector<store::SharedRecord>&>(*read)) {
    if (record.name != name) continue;
    absl::StatusOr<SpecPtr> spec = ReadSpec(record);
    if (!spec.ok()) return store::ForCallers(spec.status());
    MutexLock lock(&mutex_);
    known_.insert_or_assign({caller, name}, *spec);
    return spec;
  }
  Forget(caller, name);
  return NoSuchSubscription();
}

void SharedHub::Forget(const std::string& caller, const std::string& name) {
  MutexLock lock(&mutex_);
  known_.erase({caller, name});
}

// ---- Streams. ----

std::unique_ptr<Receiver> SharedHub::Receive(SpecPtr spec, std::string consumer,
                                             int max_in_flight) {
  auto stream = std::make_shared<Stream>();
  stream->spec = spec;
  stream->consumer = std::move(consumer);
  stream->max_in_flight = static_cast<size_t>(max_in_flight);
  Todo todo;
  {
    MutexLock lock(&mutex_);
    std::unique_ptr<Line>& line = lines_[spec->id];
    if (line == nullptr) line = std::make_unique<Line>();
    line->spec = std::move(spec);
    line->streams.push_back(stream);
    ClaimFor(*line, &todo);
    Watch(&todo);
  }
  Do(std::move(todo));
  return std::unique_ptr<Receiver>(new Receiver(this, std::move(stream)));
}

Receiver::~Receiver() {
  SharedHub::Todo todo;
  {
    MutexLock lock(&hub_->mutex_);
    hub_->Close(stream_, &todo);
  }
  SharedHub::Do(std::move(todo));
}

// What was sent stays leased; what was not goes back at once.
void SharedHub::Close(const StreamPtr& stream, Todo* todo) {
  stream->closed = true;
  std::vector<Settlement> unsent;
  for (const Stream::Queued& queued : stream->queue) {
    const auto out = stream->out.find(queued.lease);
    if (out == stream->out.end()) continue;
    unsent.push_back({.session = out->second.session,
                      .position = out->second.position,
                      .lease = queued.lease,
                      .action = Action::kRelease});
  }
  stream->queue.clear();
  Release(stream->spec, std::move(unsent), todo);
  const auto line = lines_.find(stream->spec->id);
  if (line == lines_.end()) return;
  std::erase(line->second->streams, stream);
  EraseIfIdle(line->first);
}

void SharedHub::EraseIfIdle(int64_t id) {
  const auto line = lines_.find(id);
  if (line == lines_.end()) return;
  const Line& idle = *line->second;
  if (idle.streams.empty() && !idle.claiming && !idle.checking) lines_.erase(line);
}

events::EventPtr Receiver::Take() {
  SharedHub::Stream& stream = *stream_;
  while (!stream.queue.empty()) {
    auto [event, lease] = std::move(stream.queue.front());
    stream.queue.pop_front();
    stream.queued_bytes -= event->message.size();
    if (stream.out.contains(lease)) return event;  // otherwise the lease has expired meanwhile
  }
  return nullptr;
}

events::EventPtr Receiver::NextAtHand() {
  MutexLock lock(&hub_->mutex_);
  return Take();
}

events::EventPtr Receiver::Next(Later later) {
  SharedHub::Todo todo;
  {
    MutexLock lock(&hub_->mutex_);
    if (events::EventPtr event = Take()) return event;
    if (!stream_->failed.ok()) {
      hub_->DeliverLater(std::move(later), stream_->failed);
      return nullptr;
    }
    stream_->later = std::move(later);
    const auto line = hub_->lines_.find(stream_->spec->id);
    if (line != hub_->lines_.end() && line->second->more) hub_->ClaimFor(*line->second, &todo);
  }
  SharedHub::Do(std::move(todo));
  return nullptr;
}

bool Receiver::Withdraw() {
  events::EventSource::Later dropped;  // destroyed outside the lock: it may own anything
  MutexLock lock(&hub_->mutex_);
  if (stream_->later == nullptr) return false;
  dropped = std::exchange(stream_->later, nullptr);
  return true;
}

// Never inside the call that asked.
void SharedHub::DeliverLater(Later later, absl::Status status) {
  ++under_way_;
  scheduler_->RunAfter(absl::ZeroDuration(),
                       [this, later = std::move(later), status = std::move(status)]() mutable {
                         std::move(later)(std::move(status));
                         Ended();
                       });
}

// ---- Claims. ----

void SharedHub::Wake(int64_t subscription) {
  Todo todo;
  {
    MutexLock lock(&mutex_);
    const auto line = lines_.find(subscription);
    if (line != lines_.end()) ClaimFor(*line->second, &todo);
  }
  Do(std::move(todo));
}

void SharedHub::ClaimFor(Line& line, Todo* todo) {
  if (line.claiming) {
    line.again = true;
    return;
  }
  if (stopping_) return;
  std::vector<StreamPtr> streams;
  std::vector<Slot> slots;
  for (const StreamPtr& stream : line.streams) {
    if (stream->room() == 0) continue;
    streams.push_back(stream);
    slots.push_back({.consumer = stream->consumer, .free = stream->room()});
  }
  if (slots.empty()) {
    line.more = true;
    return;
  }
  line.claiming = true;
  line.again = false;
  ++under_way_;
  const Target target = line.spec->target(random_());
  todo->calls.push_back([this, target, slots, streams, spec = line.spec] {
    store_->ChangeShared(
        {.id = target.id,
         .work = [target, slots](store::SharedTables& tables) -> absl::StatusOr<std::any> {
           absl::StatusOr<ClaimResult> claim = Claim(tables, target, slots);
           if (!claim.ok()) return claim.status();
           return std::any(*std::move(claim));
         }},
        [this, spec, streams](absl::StatusOr<std::any> result) {
          Claimed(spec, streams, std::move(result));
          Ended();
        });
  });
}

void SharedHub::Claimed(const SpecPtr& spec, const std::vector<StreamPtr>& streams,
                        absl::StatusOr<std::any> result) {
  if (!result.ok()) {
    claim_failures_.Add();
    MutexLock lock(&mutex_);
    lines_.at(spec->id)->claiming = false;
    return EraseIfIdle(spec->id);  // the next poll tries again
  }
  const auto& claim = std::any_cast<const ClaimResult&>(*result);
  std::vector<events::EventPtr> made;
  for (const Leased& leased : claim.leased) {
    leases_.Add();
    if (leased.head.attempts > 1 || leased.head.redriven) redeliveries_.Add();
    made.push_back(MakeEvent(*spec, leased));
  }
  parked_.Add(static_cast<double>(claim.parked));
  Todo todo;
  {
    MutexLock lock(&mutex_);
    Line& line = *lines_.at(spec->id);
    line.claiming = false;
    line.more = claim.more;
    switch (claim.found) {
      case Found::kNo:
        known_.erase({spec->caller, spec->subscription.name()});
        Fail(line, NoSuchSubscription(), &todo);
        break;
      case Found::kExpired:
        Fail(line, events::CursorExpired(store_->log_id(), store_->bounds(), "on_cursor_expired"),
             &todo);
        break;
      case Found::kYes:
        Deliver(streams, claim, std::move(made), spec, &todo);
        if (line.again || line.more) ClaimFor(line, &todo);
        break;
    }
    EraseIfIdle(spec->id);
  }
  Do(std::move(todo));
}

void SharedHub::Deliver(const std::vector<StreamPtr>& streams, const ClaimResult& claim,
                        std::vector<events::EventPtr> made, const SpecPtr& spec, Todo* todo) {
  std::vector<Settlement> unsent;
  for (size_t i = 0; i < claim.leased.size(); ++i) {
    const SharedHead& head = claim.leased[i].head;
    Stream& stream = *streams[claim.leased[i].slot];
    const SessionKey session(head.merchant_id, head.session_id);
    if (stream.closed) {
      unsent.push_back({.session = session,
                        .position = head.position,
                        .lease = head.lease,
                        .action = Action::kRelease});
      continue;
    }
    stream.out[head.lease] = {session, head.position, head.leased_until};
    if (stream.later != nullptr) {
      todo->deliveries.emplace_back(std::exchange(stream.later, nullptr), std::move(made[i]));
    } else {
      stream.queued_bytes += made[i]->message.size();
      stream.queue.push_back({std::move(made[i]), head.lease});
    }
  }
  Release(spec, std::move(unsent), todo);
}

void SharedHub::Fail(Line& line, const absl::Status& status, Todo* todo) {
  for (const StreamPtr& stream : line.streams) {
    if (!stream->failed.ok()) continue;
    stream->failed = status;
    if (stream->later != nullptr) {
      todo->deliveries.emplace_back(std::exchange(stream->later, nullptr), status);
    }
  }
}

void SharedHub::Release(const SpecPtr& spec, std::vector<Settlement> settlements, Todo* todo) {
  if (settlements.empty() || stopping_) return;
  ++under_way_;
  const Target target = spec->target(random_());
  todo->calls.push_back([this, target, settlements = std::move(settlements)] {
    store_->ChangeShared(
        {.id = target.id,
         .work = [target, settlements](store::SharedTables& tables) -> absl::StatusOr<std::any> {
           const absl::StatusOr<SettleResult> settled = shared::Settle(tables, target, settlements);
           if (!settled.ok()) return settled.status();
           return std::any();
         }},
        [this, id = target.id](absl::StatusOr<std::any>) {
          // If it failed, the leases expire.
          Wake(id);
          Ended();
        });
  });
}

events::EventPtr SharedHub::MakeEvent(const Spec& spec, const Leased& leased) const {
  const SharedHead& head = leased.head;
  const events::LogPlace place{leased.event.position, store_->bounds().epoch().label,
                               events::ContentOf(leased.event)};
  const events::EventPtr in_log = events::LogEvent::Make(leased.event, store_->log_id(), place);
  kustom::ipp::v1::ReceiveSessionEventsResponse message;
  kustom::ipp::v1::LeasedSessionEvent& out = *message.mutable_leased();
  *out.mutable_event() = in_log->Parse();
  LeaseToken token;
  token.set_subscription(spec.id);
  token.set_merchant_id(head.merchant_id);
  token.set_session_id(head.session_id);
  token.set_position(head.position);
  token.set_lease(head.lease);
  out.set_lease(EncodeLease(token));
  *out.mutable_expires_at() = ToTimestamp(head.leased_until);
  out.set_attempt(head.attempts);
  out.set_redriven(head.redriven);
  auto event = std::make_shared<events::LogEvent>();
  event->row.position = head.position;
  event->place = in_log->place;
  event->message = message.SerializeAsString();
  return event;
}

}  // namespace ipp::shared
