#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/store/backend.h"
#include "server/store/sqlite/database.h"
#include "server/store/sqlite/shared_tables.h"
#include "server/store/store.h"

namespace ipp::store {

// A read-only connection with its prepared statements. For one thread; it never waits for the
// writer. Each call sees what was committed when the call begins.
class SqliteReader final : public ReadBackend {
 public:
  // A SqliteWriter must have opened the file before.
  static absl::StatusOr<std::unique_ptr<SqliteReader>> Open(const std::string& path);

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
  SharedReads& shared() override { return *shared_; }
  absl::StatusOr<int64_t> SizeBytes() override;

 private:
  SqliteReader(std::string path, std::unique_ptr<SqliteDatabase> database)
      : path_(std::move(path)), database_(std::move(database)) {}

  // The ids of the creates that match, newest first.
  absl::StatusOr<std::vector<int64_t>> NewestIntents(const IntentQuery& wanted);

  const std::string path_;
  const std::unique_ptr<SqliteDatabase> database_;
  SqliteStatement by_session_, by_request_, intent_, intent_by_id_, intent_ids_, settled_,
      count_intents_, open_, events_, recorded_at_;
  SqliteStatement bounds_;
  std::unique_ptr<SqliteSharedReads> shared_;
  // sqlite/session_search.cc
  absl::Status PrepareSearch();
  absl::StatusOr<std::vector<SessionPlace>> NewestPlaces(const SessionQuery& query);
  SqliteStatement search_[kSearchPaths];
  SqliteStatement to_index_, cancels_, session_events_;
};

}  // namespace ipp::store
