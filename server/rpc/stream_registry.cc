#include "server/rpc/stream_registry.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/rpc/event_stream.h"

namespace ipp::rpc {
namespace {

// How exact heartbeats, stalls and ages are.
constexpr absl::Duration kTick = absl::Milliseconds(200);

}  // namespace

StreamRegistry::StreamRegistry(int max_streams, Clock* clock, Scheduler* scheduler,
                               Metrics* metrics)
    : max_streams_(max_streams),
      clock_(clock),
      scheduler_(scheduler),
      slow_readers_(metrics->counter("ipp_events_slow_readers_total",
                                     "Streams ended because nobody read them.")) {
  MutexLock lock(&mutex_);
  tick_ = scheduler_->RunAfter(kTick, [this] { Tick(); });
}

StreamRegistry::~StreamRegistry() {
  MutexLock lock(&mutex_);
  stopping_ = true;
  if (scheduler_->Cancel(tick_)) return;
  while (tick_due_) ticked_.Wait(&mutex_);
}

absl::Status StreamRegistry::Add(const std::shared_ptr<EventStream>& stream) {
  MutexLock lock(&mutex_);
  if (draining_) return Draining();
  if (streams_.size() >= static_cast<size_t>(max_streams_)) {
    return MakeError(absl::StatusCode::kResourceExhausted,
                     absl::StrCat("the gateway serves at most ", max_streams_, " streams"),
                     {.reason = "TOO_MANY_SUBSCRIBERS",
                      .metadata = {{"retry_safe", "true"}},
                      .violations = {},
                      .retry_after = absl::Seconds(1)});
  }
  streams_.push_back(stream);
  return absl::OkStatus();
}

void StreamRegistry::Remove(const EventStream* stream) {
  // Dropped outside the lock: it may be the last reference.
  std::shared_ptr<EventStream> dropped;
  MutexLock lock(&mutex_);
  const auto it = std::find_if(streams_.begin(), streams_.end(),
                               [stream](const auto& s) { return s.get() == stream; });
  if (it == streams_.end()) return;
  dropped = std::move(*it);
  *it = std::move(streams_.back());
  streams_.pop_back();
}

std::vector<std::shared_ptr<EventStream>> StreamRegistry::Snapshot() {
  MutexLock lock(&mutex_);
  return streams_;
}

void StreamRegistry::Tick() {
  const absl::Time now = clock_->Now();
  for (const auto& stream : Snapshot()) stream->Tick(now);
  MutexLock lock(&mutex_);
  if (stopping_) {
    tick_due_ = false;
    ticked_.SignalAll();
  } else {
    tick_ = scheduler_->RunAfter(kTick, [this] { Tick(); });
  }
}

void StreamRegistry::Drain() {
  {
    MutexLock lock(&mutex_);
    draining_ = true;
  }
  for (const auto& stream : Snapshot()) stream->Close("draining", Draining());
}

}  // namespace ipp::rpc
