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
#include "server/base/scheduler.h"

namespace ipp::rpc {

class EventStream;

// Every open stream. One periodic tick looks after heartbeats, stalls and ages of all of them: a
// timer per write would cost more than the write. Thread-safe.
class StreamRegistry {
 public:
  struct Limits {
    int streams;     // of all
    int per_caller;  // of each caller with a name
  };
  StreamRegistry(Limits limits, Clock* clock, Scheduler* scheduler, Metrics* metrics);
  ~StreamRegistry();  // every stream has ended by then

  // `caller`: whose stream it is; empty: nobody's. RESOURCE_EXHAUSTED / TOO_MANY_SUBSCRIBERS with
  // RetryInfo when full: metadata `scope` says whether the gateway is ("gateway") or what this
  // caller may have ("caller"), `limit` how many that is. UNAVAILABLE / DRAINING when the gateway
  // stops.
  // `limit`: in place of Limits::per_caller, if not 0.
  absl::Status Add(const std::shared_ptr<EventStream>& stream, absl::string_view caller,
                   int limit = 0);
  void Remove(const EventStream* stream);

  // Says goodbye to every stream and takes no new one.
  void Drain();

  struct CutOff {
    std::string caller;  // empty: nobody's
    std::string rpc;
    absl::Duration unread_for;
    int64_t position;  // in the log, of the last event that was handed to the stream
    std::string trace_id;
  };
  // A stream is ended because nobody reads it. Counts it, and writes a line, so that its owner can
  // be told.
  void CountCutOff(const CutOff& cut_off);

 private:
  void Tick();
  std::vector<std::shared_ptr<EventStream>> Snapshot() ABSL_LOCKS_EXCLUDED(mutex_);

  struct Entry {
    std::shared_ptr<EventStream> stream;
    int* of_caller;  // in per_caller_; nullptr: nobody's
  };

  const Limits limits_;
  Clock* const clock_;
  Scheduler* const scheduler_;
  Counter& slow_readers_;
  LogRateLimiter cut_offs_;
  Mutex mutex_;
  CondVar ticked_;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool tick_due_ ABSL_GUARDED_BY(mutex_) = true;  // it waits with the scheduler, or runs
  Scheduler::TaskId tick_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<Entry> streams_ ABSL_GUARDED_BY(mutex_);
  // Never shrinks: callers are configured, so there are few.
  std::map<std::string, int, std::less<>> per_caller_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ipp::rpc
