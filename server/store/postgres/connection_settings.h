#pragma once

#include <chrono>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/store/postgres/connection.h"
#include "server/store/store.h"

namespace ipp::store {

// Time limits on a connection of the store. Where the server has a limit of its own, it is set
// below ours, so that the server also stops what we give up.
struct PostgresLimits {
  explicit PostgresLimits(std::chrono::nanoseconds answer) : answer(answer) {}
  std::chrono::nanoseconds answer;  // our limit; after it the connection is dropped
  std::chrono::nanoseconds statement() const { return answer * 8 / 10; }
  std::chrono::nanoseconds lock() const { return answer / 2; }
};

// Configures a new connection as the store relies on it, whatever the server, the role or the
// database set: an empty search path, plans that use the indexes from the first row on, the limits,
// LISTEN for a listener, read-only transactions for all but a writer. For a writer also
//
// * synchronous_commit at least `on`: a commit is on the disk, here and on the synchronous standby
//   where there is one (`remote_write` is weaker: the data is only in the memory of the standby's
//   kernel);
// * warnings are sent, because one of them means that a commit may not be on the standby.
absl::Status SetUpConnection(PostgresConnection& connection, PostgresRole role,
                             const PostgresLimits& limits);

// Returns the identity of the log. FAILED_PRECONDITION when it is not `expected` (unless that is
// empty): after a change of the DSN or a restored backup, another log must not be mixed with this
// one.
absl::StatusOr<std::string> CheckLog(PostgresConnection& connection, const std::string& expected,
                                     const PostgresLimits& limits);

struct LogAtStart {
  std::string id;
  LogBounds bounds;
  absl::Time now;  // by the database's clock
};
// Connects, migrates the schema, and reads what a store must know from the start.
absl::StatusOr<LogAtStart> OpenLog(const PostgresFiles& files, const PostgresLimits& limits);

}  // namespace ipp::store
