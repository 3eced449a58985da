#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/store/backend.h"
#include "server/store/retention.h"
#include "server/store/sqlite/database.h"
#include "server/store/sqlite/shared_tables.h"
#include "server/store/store.h"

namespace ipp::store {

// The writing connection with its prepared statements. For one thread.
class SqliteWriter final : public WriteBackend {
 public:
  // Opens or creates the file and migrates its schema. Errors name the path.
  static absl::StatusOr<std::unique_ptr<SqliteWriter>> Open(const std::string& path);

  absl::StatusOr<BatchReads> Read(const BatchKeys& keys, absl::Time now) override;
  absl::Status Write(const BatchWrites& writes) override;
  void Abandon(const absl::Status& why) override;
  absl::StatusOr<std::vector<SessionRecord>> LeaseDue(const Lease& lease) override;
  absl::StatusOr<std::vector<IntentRecord>> OrphanIntents(const Orphans& which) override;
  absl::StatusOr<LogBounds> BeginEpoch(const NewEpoch& epoch) override;
  absl::StatusOr<LogBounds> ReadBounds() override { return bounds_; }
  absl::Status InShared(absl::Time now,
                        absl::FunctionRef<absl::Status(SharedTables&)> body) override {
    return shared_->InTransaction(now, body);
  }
  absl::StatusOr<Trimmed> Trim(const Cutoffs& cutoffs, absl::Time now) override;
  absl::StatusOr<bool> IndexSessions() override;
  // The gateway's clock is the only one.
  absl::StatusOr<std::optional<absl::Time>> ReadClock() override { return std::nullopt; }
  absl::Status Probe() override;

  const std::string& log_id() const { return log_id_; }
  const LogBounds& bounds() const { return bounds_; }
  // When the store was last in use, as far as it has recorded that; absent when it is new.
  std::optional<absl::Time> last_used() const { return last_used_; }

 private:
  explicit SqliteWriter(std::unique_ptr<SqliteDatabase> database)
      : database_(std::move(database)) {}
  absl::Status Prepare();
  absl::Status LoadLog();
  absl::StatusOr<BatchReads> ReadKeys(const BatchKeys& keys, absl::Time now);
  absl::Status WriteRows(const BatchWrites& writes);
  absl::StatusOr<std::vector<SessionRecord>> FindDue(const Lease& lease);
  absl::StatusOr<bool> TrimEvents(absl::Time cutoff);
  absl::StatusOr<bool> TrimSessions(absl::Time cutoff);
  absl::StatusOr<bool> TrimIntents(absl::Time cutoff);
  // Runs `statement`, which removes at most a step's worth of rows older than `cutoff`.
  absl::StatusOr<bool> Remove(const SqliteStatement& statement, absl::Time cutoff);
  static absl::StatusOr<std::vector<SessionRecord>> ReadAll(SqliteQuery& query);
  absl::Status Put(const SessionRecord& record);
  absl::Status Put(const AskedCancel& cancel);
  absl::Status Index(const SessionRecord& record);
  absl::Status Put(const IntentRecord& intent);
  absl::Status NoteUse(absl::Time now);

  const std::unique_ptr<SqliteDatabase> database_;
  SqliteStatement find_seen_, add_seen_, find_session_, put_session_;
  SqliteStatement add_event_;
  SqliteStatement find_intent_, add_intent_, update_intent_, find_creating_, find_created_,
      orphans_;
  SqliteStatement due_, held_, put_off_;
  SqliteStatement old_events_, trim_events_, move_start_, trim_seen_, note_use_;
  SqliteStatement old_sessions_, old_intents_, trim_sessions_, trim_intents_;
  std::unique_ptr<SqliteSharedTables> shared_;
  SqliteStatement to_index_, index_, put_cancel_, trim_cancels_;
  std::string log_id_;
  // The state of the log as of the last commit. This connection is its only writer.
  LogBounds bounds_;
  int64_t last_intent_ = 0;
  absl::Time last_recorded_at_ = absl::InfinitePast();
  std::optional<absl::Time> last_used_;
};

}  // namespace ipp::store
