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

// A session as the upstream returned it.
struct SessionRead {
  kustom::ipp::v1::Session session;
  std::string request_id;  // of its create, if the session has a marker (correlation.h)
};

// Reads sessions for the gateway's own purposes, without a caller's request. Thread-safe; borrows
// its arguments, and must outlive every read.
class SessionReader {
 public:
  // `limit`: the time for one read, including its retries.
  SessionReader(UpstreamClient* client, const routes::RouteTable* routes, Clock* clock,
                absl::Duration limit);

  // Reads as a part of `trace`, or of a new trace if it is empty. `done` runs exactly once, never
  // inside this call, with the session that GetSession would return. An answer without a status, or
  // about another session, is INTERNAL / UPSTREAM_MALFORMED.
  void Read(const std::string& merchant_id, const std::string& session_id, TraceContext trace,
            absl::AnyInvocable<void(absl::StatusOr<SessionRead>) &&> done);

  // Cancels all reads in progress and all later ones: each `done` runs soon, never inside this
  // call. A read that waits for a retry still needs the transport, so wait for all reads to end
  // before you destroy the transport.
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
