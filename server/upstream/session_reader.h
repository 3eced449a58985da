#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "kustom/ipp/v1/session.pb.h"
#include "server/base/clock.h"
#include "server/base/mutex.h"
#include "server/base/pending_call.h"
#include "server/base/trace_context.h"
#include "server/upstream/upstream_client.h"

namespace ipp::upstream {

// A session as the upstream has it.
struct SessionRead {
  kustom::ipp::v1::Session session;
  std::string request_id;  // of the create that made it, when it tells (correlation.h)
};

// Reads a session when no caller asked for it. Thread-safe; borrows all that it is given, and
// outlives every read.
class SessionReader {
 public:
  // `limit`: for one read, its retries counted in.
  SessionReader(UpstreamClient* client, const routes::RouteTable* routes, Clock* clock,
                absl::Duration limit);

  // As a part of `trace`, or of a new one. `done` runs exactly once, never inside this call, with
  // what GetSession would answer. An answer
  // without a status, or of another session, is INTERNAL / UPSTREAM_MALFORMED.
  void Read(const std::string& merchant_id, const std::string& session_id, TraceContext trace,
            absl::AnyInvocable<void(absl::StatusOr<SessionRead>) &&> done);

  // Cancels what is under way and what is asked for from now on: each `done` runs soon, never
  // inside this call. A read that waits to be tried again needs the transport for that, so let all
  // of them end before it goes.
  void CancelAll();

 private:
  void Forget(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);

  UpstreamClient* const client_;
  const routes::Route& get_;
  Clock* const clock_;
  const absl::Duration limit_;
  Mutex mutex_;
  uint64_t last_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<uint64_t, std::shared_ptr<PendingCall<UpstreamClient::Call>>> calls_
      ABSL_GUARDED_BY(mutex_);
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace ipp::upstream
