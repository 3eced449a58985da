#pragma once

#include <chrono>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/store/postgres/connection.h"
#include "server/store/store.h"

namespace ipp::store {

// How long things may take on a connection of the store. Each is the server's own limit where it
// has one, so that what we gave up on ends there too.
struct PostgresLimits {
  explicit PostgresLimits(std::chrono::nanoseconds answer) : answer(answer) {}
  std::chrono::nanoseconds answer;  // ours: then the connection is dropped
  std::chrono::nanoseconds statement() const { return answer * 8 / 10; }
  std::chrono::nanoseconds lock() const { return answer / 2; }
};

// Makes a fresh connection's settings what the store relies on, whatever the server, the role or
// the database say: no foreign search path, plans that use the indexes from the first row on, the
// limits, for a listener LISTEN, for all but a writer no writing, and for a writer
// * that a commit is on the disk, here and on the synchronous standby where there is one:
//   synchronous_commit at least `on` (`remote_write` is less: there it is only in the memory of the
//   standby's kernel);
// * that warnings are sent: one of them means that a commit may not be on the standby.
absl::Status SetUpConnection(PostgresConnection& connection, PostgresRole role,
                             const PostgresLimits& limits);

// The log's identity; FAILED_PRECONDITION unless it is `expected`, where that is not empty: after a
// change of the DSN or a restored backup, another log must not be mixed into this one.
absl::StatusOr<std::string> CheckLog(PostgresConnection& connection, const std::string& expected,
                                     const PostgresLimits& limits);

struct LogAtStart {
  std::string id;
  LogBounds bounds;
};
// Finds the database, brings its schema up to date, and reads what a store must know from the
// start.
absl::StatusOr<LogAtStart> OpenLog(const PostgresFiles& files, const PostgresLimits& limits);

}  // namespace ipp::store
