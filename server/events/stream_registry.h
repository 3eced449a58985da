#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/log_rate_limiter.h"
#include "server/base/metrics.h"
#include "server/base/mutex.h"
#include "server/base/periodic_task.h"
#include "server/base/scheduler.h"

namespace ipp::events {

class EventStream;

// All open streams. One periodic tick checks heartbeats, stalls and ages of all of them: a timer
// per write would cost more than the write. Thread-safe.
class StreamRegistry {
 public:
  struct Limits {
    int streams;     // in total
    int per_caller;  // of each named caller
  };
  StreamRegistry(Limits limits, Clock* clock, Scheduler* scheduler, Metrics* metrics);
  // Every stream must have ended before it is destroyed.

  // Adds a stream of `caller`; empty: the caller is not known. RESOURCE_EXHAUSTED /
  // TOO_MANY_SUBSCRIBERS with RetryInfo if a limit is reached: metadata `scope` says which limit
  // ("gateway" or "caller"), `limit` its value. UNAVAILABLE / DRAINING if the gateway stops.
  // `limit` replaces Limits::per_caller unless it is 0.
  absl::Status Add(const std::shared_ptr<EventStream>& stream, absl::string_view caller,
                   int limit = 0);
  void Remove(const EventStream* stream);

  // Sends a goodbye to every stream and accepts no new one.
  void Drain();

  struct CutOff {
    std::string caller;  // empty: not known
    std::string rpc;
    absl::Duration unread_for;
    int64_t position;  // log position of the last event that the stream took
    std::string trace_id;
  };
  // Called when a stream is ended because its client does not read. Counts it and logs it, so that
  // the operator can inform the owner.
  void CountCutOff(const CutOff& cut_off);

 private:
  void Tick();
  std::vector<std::shared_ptr<EventStream>> Snapshot() ABSL_LOCKS_EXCLUDED(mutex_);

  struct Entry {
    std::shared_ptr<EventStream> stream;
    int* of_caller;  // in per_caller_; nullptr: caller not known
  };

  const Limits limits_;
  Clock* const clock_;
  Counter& slow_readers_;
  LogRateLimiter cut_offs_;
  Mutex mutex_;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Entry> streams_ ABSL_GUARDED_BY(mutex_);
  // Never shrinks; it is small, since callers are configured.
  std::map<std::string, int, std::less<>> per_caller_ ABSL_GUARDED_BY(mutex_);
  PeriodicTask tick_;  // the last member: it ends before the others
};

}  // namespace ipp::events
