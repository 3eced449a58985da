#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/store/postgres/target.h"
#include "server/store/postgres/values.h"
#include "server/store/postgres/wait.h"

struct pg_conn;

namespace ipp::store {

// A statement that a connection knows by name, so that the server parses it once.
struct PostgresStatement {
  const char* name;
  std::string sql;
};

// One run of it.
struct PostgresCall {
  const char* name;
  PostgresArguments arguments = {};
};

// A connection, for one thread at a time. Never blocks longer than it is told, but for the
// resolution of host names, which libpq leaves to the system's resolver.
//
// Errors: ALREADY_EXISTS for a broken unique key, INVALID_ARGUMENT for what the server will never
// take (a value it cannot hold), DEADLINE_EXCEEDED and CANCELLED as in Patience, UNAVAILABLE for
// the rest. They carry the server's first line and its code, never values.
class PostgresConnection {
 public:
  // Tries one target after another. `grace` is for conversations later on, see Patience; making a
  // connection ends at once when the store is being closed.
  static absl::StatusOr<std::unique_ptr<PostgresConnection>> Open(
      absl::Span<const PostgresTarget> targets, std::chrono::nanoseconds grace,
      const StopSignal* stop);

  // Statements with ';' between them, without arguments, one transaction together unless they say
  // otherwise. The rows, as text, of the last one.
  absl::StatusOr<PostgresRows> Execute(const std::string& sql, std::chrono::nanoseconds limit);
  // One round trip for all.
  absl::Status Prepare(absl::Span<const PostgresStatement> statements,
                       std::chrono::nanoseconds limit);
  // One round trip for all. Without BEGIN among them they are one transaction. After an error the
  // server skips the rest; the error is that of the statement that failed.
  absl::StatusOr<std::vector<PostgresRows>> Run(absl::Span<const PostgresCall> calls,
                                                std::chrono::nanoseconds limit);

  // Waits for a notification; the largest number among the payloads that came, 0 when none did
  // within `limit`.
  absl::StatusOr<int64_t> WaitForNotification(std::chrono::nanoseconds limit);

  // It was cut, or given up on; to be thrown away.
  bool dead() const { return dead_; }
  // The first warning that the server sent since this was last asked; empty when none.
  std::string TakeWarning();

 private:
  struct Finisher {
    void operator()(pg_conn* connection) const;
  };
  using Handle = std::unique_ptr<pg_conn, Finisher>;

  PostgresConnection(Handle handle, std::chrono::nanoseconds grace, const StopSignal* stop);
  static absl::StatusOr<Handle> OpenOne(const PostgresTarget& target, const StopSignal* stop);
  static void OnNotice(void* self, const struct pg_result* result);

  absl::Status Sent(int accepted);
  absl::Status Flush(Patience& patience);
  // The next result; null at the end of a statement's.
  absl::StatusOr<PostgresRows> Next(Patience& patience, int* status);
  absl::StatusOr<std::vector<PostgresRows>> Collect(size_t statements, Patience& patience);
  absl::Status GiveUp(absl::Status why);

  const Handle handle_;
  const std::chrono::nanoseconds grace_;
  const StopSignal* const stop_;
  bool dead_ = false;
  std::string warning_;
};

}  // namespace ipp::store
