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

// A prepared statement. The server parses it once for each connection.
struct PostgresStatement {
  const char* name;
  std::string sql;
};

// One execution of a prepared statement.
struct PostgresCall {
  const char* name;
  PostgresArguments arguments = {};
};

// When a connection lets the server plan its prepared statements anew. PostgreSQL keeps a plan
// until the statistics change, which is a minute or more after a table began to fill; one that was
// made for an empty table reads all of it, or along an index that fits by chance. So: after an
// eighth of a second, then after twice the time, at last every minute.
class PlanSchedule {
 public:
  using Time = std::chrono::steady_clock::time_point;
  explicit PlanSchedule(Time now) : due_(now + pause_) {}

  // Whether it is time, and if so, when the next time is.
  bool TakeDue(Time now);

 private:
  std::chrono::milliseconds pause_{125};
  Time due_;
};

// A connection, for one thread at a time. No call blocks longer than its limit, except that host
// names are resolved by the system's resolver, whose time libpq does not bound.
//
// Errors: ALREADY_EXISTS for a violated unique key, INVALID_ARGUMENT for what the server can never
// accept (a value that it cannot hold), DEADLINE_EXCEEDED and CANCELLED as in Deadline, UNAVAILABLE
// for the rest. They carry the first line of the server's message and its code, never values.
class PostgresConnection {
 public:
  // Tries one target after another. `grace` applies to later calls (see Deadline); opening ends at
  // once when the store is being closed.
  static absl::StatusOr<std::unique_ptr<PostgresConnection>> Open(
      absl::Span<const PostgresTarget> targets, std::chrono::nanoseconds grace,
      const StopSignal* stop, PlanSchedule plans = PlanSchedule(std::chrono::steady_clock::now()));

  // Executes statements separated by ';', without arguments; they are one transaction unless they
  // say otherwise. Returns the rows of the last one, as text.
  absl::StatusOr<PostgresRows> Execute(const std::string& sql, std::chrono::nanoseconds limit);
  // One round trip for all.
  absl::Status Prepare(absl::Span<const PostgresStatement> statements,
                       std::chrono::nanoseconds limit);
  // Executes all calls in one round trip (a pipeline). Without BEGIN among them they are one
  // transaction. After an error the server skips the rest; the error is that of the statement that
  // failed. Outside a transaction it first has plans made anew that are due, a round trip more.
  absl::StatusOr<std::vector<PostgresRows>> Run(absl::Span<const PostgresCall> calls,
                                                std::chrono::nanoseconds limit);

  // Waits for notifications; returns the largest number among the payloads received, 0 when none
  // came within `limit`.
  absl::StatusOr<int64_t> WaitForNotification(std::chrono::nanoseconds limit);

  // The connection was lost or given up; drop it.
  bool dead() const { return dead_; }
  // The first warning that the server sent since the last call; empty when there was none.
  std::string TakeWarning();

 private:
  struct Finisher {
    void operator()(pg_conn* connection) const;
  };
  using Handle = std::unique_ptr<pg_conn, Finisher>;

  PostgresConnection(Handle handle, std::chrono::nanoseconds grace, const StopSignal* stop,
                     PlanSchedule plans);
  static absl::StatusOr<Handle> OpenOne(const PostgresTarget& target, const StopSignal* stop);
  static void OnNotice(void* self, const struct pg_result* result);

  absl::Status MakePlansAnew(std::chrono::nanoseconds limit);
  absl::Status Sent(int accepted);
  absl::Status Flush(Deadline& deadline);
  // The next result; null at the end of a statement's results.
  absl::StatusOr<PostgresRows> Next(Deadline& deadline, int* status);
  absl::StatusOr<std::vector<PostgresRows>> Collect(size_t statements, Deadline& deadline);
  absl::Status GiveUp(absl::Status why);

  const Handle handle_;
  const std::chrono::nanoseconds grace_;
  const StopSignal* const stop_;
  bool dead_ = false;
  PlanSchedule plans_;
  std::string warning_;
};

}  // namespace ipp::store
