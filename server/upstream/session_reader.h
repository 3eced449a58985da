#pragma once

#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "kustom/ipp/v1/session.pb.h"
#include "server/base/clock.h"
#include "server/upstream/upstream_client.h"

namespace ipp::upstream {

// Reads a session when no caller asked for it. Thread-safe; borrows all that it is given.
class SessionReader {
 public:
  // `limit`: for one read, its retries counted in.
  SessionReader(UpstreamClient* client, const routes::RouteTable* routes, Clock* clock,
                absl::Duration limit);

  // `done` runs exactly once, never inside this call, with what GetSession would answer. An answer
  // without a status, or of another session, is INTERNAL / UPSTREAM_MALFORMED.
  void Read(const std::string& merchant_id, const std::string& session_id,
            absl::AnyInvocable<void(absl::StatusOr<kustom::ipp::v1::Session>) &&> done) const;

 private:
  UpstreamClient* const client_;
  const routes::Route& get_;
  Clock* const clock_;
  const absl::Duration limit_;
};

}  // namespace ipp::upstream
