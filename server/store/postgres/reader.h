#pragma once

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/store/postgres/connection_settings.h"
#include "server/store/postgres/reconnecting_connection.h"
#include "server/store/store.h"

namespace ipp::store {

// The statements that PostgresReader runs, for PostgresConnection::Prepare.
std::vector<PostgresStatement> PostgresReaderStatements();

// The statements of the reader thread, and of the listener thread for the bounds. Each call sees
// what was committed when it begins; none waits for the writer. While the database is away a call
// fails at once, except for the one that happens to try a new connection.
class PostgresReader {
 public:
  PostgresReader(ReconnectingConnection* link, const PostgresLimits& limits)
      : link_(link), limits_(limits) {}

  absl::StatusOr<SessionRecord> FindSession(const std::string& merchant_id,
                                            const std::string& session_id);
  absl::StatusOr<SessionRecord> FindSessionByRequest(const std::string& merchant_id,
                                                     const std::string& request_id);
  absl::StatusOr<IntentRecord> FindIntent(const std::string& merchant_id,
                                          const std::string& request_id);
  absl::StatusOr<std::vector<IntentRecord>> ListIntents(const IntentQuery& query);
  absl::StatusOr<IntentCounts> CountIntents();
  absl::StatusOr<OpenSessions> CountOpen(absl::Time overdue_before);
  absl::StatusOr<std::vector<StoredEvent>> ReadEvents(int64_t after, int limit);
  absl::StatusOr<int64_t> FindPosition(absl::Time time);
  absl::StatusOr<LogBounds> ReadBounds();

 private:
  // Repeats the call on a new connection when the old one was dead. That is safe, since reads
  // change nothing.
  absl::StatusOr<PostgresRows> Run(const char* name, PostgresArguments arguments);
  absl::StatusOr<SessionRecord> FindOne(const char* name, const std::string& merchant_id,
                                        const std::string& id);

  ReconnectingConnection* const link_;
  const PostgresLimits limits_;
};

}  // namespace ipp::store
