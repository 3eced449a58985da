#include "server/events/stream_registry.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/base/log.h"
#include "server/events/event_stream.h"

namespace ipp::events {
namespace {

// The precision of heartbeats, stalls and ages.
constexpr absl::Duration kTick = absl::Milliseconds(200);

// `scope`: the limit that was reached, "gateway" or "caller".
absl::Status TooMany(absl::string_view scope, int limit, absl::Duration retry_after) {
  return MakeError(absl::StatusCode::kResourceExhausted,
                   absl::StrCat("the gateway serves at most ", limit, " streams",
                                scope == "caller" ? " to one caller" : ""),
                   {.reason = "TOO_MANY_SUBSCRIBERS",
                    .metadata = {{"limit", absl::StrCat(limit)},
                                 {"retry_safe", "true"},
                                 {"scope", std::string(scope)}},
                    .retry_after = retry_after});
}

}  // namespace

StreamRegistry::StreamRegistry(Limits limits, Clock* clock, Scheduler* scheduler, Metrics* metrics)
    : limits_(limits),
      clock_(clock),
      slow_readers_(metrics->counter("ipp_events_slow_readers_total",
                                     "Streams ended because the client did not read.")),
      cut_offs_(10, 50, clock),
      tick_(scheduler, kTick, [this](const PeriodicTask::Run&) { Tick(); }) {
  tick_.Start();
}

absl::Status StreamRegistry::Add(const std::shared_ptr<EventStream>& stream,
                                 absl::string_view caller, int limit) {
  MutexLock lock(&mutex_);
  if (draining_) return Draining();
  if (streams_.size() >= static_cast<size_t>(limits_.streams)) {
    return TooMany("gateway", limits_.streams, absl::Seconds(1));
  }
  int* of_caller = nullptr;
  if (!caller.empty()) {
    auto found = per_caller_.find(caller);
    if (found == per_caller_.end()) found = per_caller_.emplace(caller, 0).first;
    of_caller = &found->second;
    const int most = limit > 0 ? limit : limits_.per_caller;
    if (*of_caller >= most) {
      // One of the caller's own streams must end first, which takes longer than for any stream to
      // end.
      return TooMany("caller", most, absl::Seconds(5));
    }
    ++*of_caller;
  }
  streams_.push_back({stream, of_caller});
  return absl::OkStatus();
}

void StreamRegistry::Remove(const EventStream* stream) {
  // Destroyed outside the lock, since it may be the last reference.
  std::shared_ptr<EventStream> dropped;
  MutexLock lock(&mutex_);
  const auto it = std::find_if(streams_.begin(), streams_.end(),
                               [stream](const Entry& e) { return e.stream.get() == stream; });
  if (it == streams_.end()) return;
  if (it->of_caller != nullptr) --*it->of_caller;
  dropped = std::move(it->stream);
  *it = std::move(streams_.back());
  streams_.pop_back();
}

void StreamRegistry::CountCutOff(const CutOff& cut_off) {
  slow_readers_.Add();
  const auto left_out = cut_offs_.Take();
  if (!left_out) return;
  LogWarning(
      "a subscriber was cut off: it did not read",
      {{"caller", cut_off.caller.empty() ? "-" : cut_off.caller},
       {"rpc", cut_off.rpc},
       {"limit", "events.max_write_stall"},
       {"unread_for", absl::FormatDuration(absl::Trunc(cut_off.unread_for, absl::Milliseconds(1)))},
       {"position", absl::StrCat(cut_off.position)},
       {"trace_id", cut_off.trace_id},
       {"left_out", absl::StrCat(*left_out)}});
}

std::vector<std::shared_ptr<EventStream>> StreamRegistry::Snapshot() {
  std::vector<std::shared_ptr<EventStream>> streams;
  MutexLock lock(&mutex_);
  streams.reserve(streams_.size());
  for (const Entry& entry : streams_) streams.push_back(entry.stream);
  return streams;
}

void StreamRegistry::Tick() {
  const absl::Duration now = clock_->Monotonic();
  for (const auto& stream : Snapshot()) stream->Tick(now);
}

void StreamRegistry::Drain() {
  {
    MutexLock lock(&mutex_);
    draining_ = true;
  }
  for (const auto& stream : Snapshot()) stream->Close("draining", Draining());
}

}  // namespace ipp::events
