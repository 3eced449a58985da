#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/store/backend.h"
#include "server/store/postgres/connection_settings.h"
#include "server/store/postgres/reconnecting_connection.h"
#include "server/store/store.h"

namespace ipp::store {

// Those of its search (postgres/session_search.cc), which PostgresReaderStatements() includes.
std::vector<PostgresStatement> PostgresSearchStatements();
// The statements that PostgresReader runs, for PostgresConnection::Prepare.
std::vector<PostgresStatement> PostgresReaderStatements();

// The statements of the reader thread, and of the listener thread for the bounds. Each call sees
// what was committed when it begins; none waits for the writer. While the database is away a call
// fails at once, except for the one that happens to try a new connection.
class PostgresReader final : public ReadBackend, public SharedReads {
 public:
  PostgresReader(ReconnectingConnection::Options connection, const PostgresLimits& limits)
      : connection_(std::move(connection)), limits_(limits) {}

  absl::StatusOr<SessionRecord> FindSession(const std::string& merchant_id,
                                            const std::string& session_id) override;
  absl::StatusOr<SessionRecord> FindSessionByRequest(const std::string& merchant_id,
                                                     const std::string& request_id) override;
  absl::StatusOr<IntentRecord> FindIntent(const std::string& merchant_id,
                                          const std::string& request_id) override;
  absl::StatusOr<std::vector<IntentRecord>> ListIntents(const IntentQuery& query) override;
  absl::StatusOr<std::vector<bool>> AreSettled(const std::vector<IntentKey>& creates) override;
  absl::StatusOr<IntentCounts> CountIntents() override;
  absl::StatusOr<OpenSessions> CountOpen(absl::Time overdue_before) override;
  absl::StatusOr<SessionScan> ScanSessions(const SessionQuery& query) override;
  absl::StatusOr<std::vector<AskedCancel>> ListCancels(const std::string& merchant_id,
                                                       const std::string& session_id,
                                                       int limit) override;
  absl::StatusOr<std::vector<StoredEvent>> ReadEvents(int64_t after, int limit) override;
  absl::StatusOr<std::vector<StoredEvent>> ReadSessionEvents(const std::string& merchant_id,
                                                             const std::string& session_id,
                                                             int64_t after, int limit) override;
  absl::StatusOr<int64_t> FindPosition(absl::Time time) override;
  absl::StatusOr<LogBounds> ReadBounds() override;
  SharedReads& shared() override { return *this; }
  absl::StatusOr<int64_t> SizeBytes() override;

  absl::StatusOr<std::vector<SharedRecord>> List(const std::string* caller) override;
  absl::StatusOr<std::optional<SharedCounts>> Count(int64_t id, absl::Time now) override;
  absl::StatusOr<std::vector<SharedParked>> ListParked(int64_t id, int64_t after,
                                                       int limit) override;
  absl::StatusOr<std::vector<SharedHead>> Heads(int64_t id,
                                                const std::vector<SessionKey>& sessions) override;

  ReconnectingConnection& connection() { return connection_; }

 private:
  // Repeats the call on a new connection when the old one was dead. That is safe, since reads
  // change nothing.
  absl::StatusOr<PostgresRows> Run(const char* name, PostgresArguments arguments);
  absl::StatusOr<SessionRecord> FindOne(const char* name, const std::string& merchant_id,
                                        const std::string& id);

  ReconnectingConnection connection_;
  const PostgresLimits limits_;
};

}  // namespace ipp::store
