#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "server/store/retention.h"
#include "server/store/sqlite/database.h"
#include "server/store/store.h"

namespace ipp::store {

// The writing connection with its prepared statements. For one thread.
class SqliteWriter {
 public:
  // Opens or creates the file and migrates its schema. Errors name the path.
  static absl::StatusOr<std::unique_ptr<SqliteWriter>> Open(const std::string& path);

  // Commits all of `batch`, in order, as one SQL transaction. OK: everything is durable. Any error:
  // nothing was written. ALREADY_EXISTS and INVALID_ARGUMENT mean that one of the transactions
  // broke a rule of its own; the others can be tried without it. Other errors concern the file.
  // `now` stamps the events, unless the clock went back: `recorded_at` never decreases.
  absl::StatusOr<std::vector<Committed>> Commit(absl::Span<const Transaction* const> batch,
                                                absl::Time now);

  // Store::LeaseDue.
  absl::StatusOr<std::vector<SessionRecord>> LeaseDue(const Lease& lease);
  // Store::OrphanIntents.
  absl::StatusOr<std::vector<IntentRecord>> OrphanIntents(const Orphans& which);

  // Store::BeginEpoch.
  absl::StatusOr<LogBounds> BeginEpoch(const NewEpoch& epoch);

  // Removes at most a step's worth of rows from each table; returns whether there may be more.
  absl::StatusOr<bool> Trim(const Cutoffs& cutoffs);
  // When the store was last in use, as far as it has recorded that; absent when it is new.
  std::optional<absl::Time> last_used() const { return last_used_; }
  // Records that the store is in use at `now`.
  absl::Status NoteUse(absl::Time now);

  // Commits a change without meaning, to find out whether a commit is possible.
  absl::Status Probe();

  const std::string& log_id() const { return log_id_; }
  const LogBounds& bounds() const { return bounds_; }

 private:
  explicit SqliteWriter(std::unique_ptr<SqliteDatabase> database)
      : database_(std::move(database)) {}
  absl::Status Prepare();
  absl::Status LoadLog();
  // Runs one transaction of a batch. `latest` is the last position used so far in the batch.
  absl::StatusOr<Committed> Apply(const Transaction& transaction, absl::Time recorded_at,
                                  int64_t* latest);
  absl::StatusOr<Snapshot> Load(const Transaction& transaction, absl::Time now);
  absl::StatusOr<std::vector<SessionRecord>> FindDue(const Lease& lease);
  absl::StatusOr<bool> TrimEvents(absl::Time cutoff);
  absl::StatusOr<bool> TrimSessions(absl::Time cutoff);
  absl::StatusOr<bool> TrimIntents(absl::Time cutoff);
  // Runs `statement`, which removes at most a step's worth of rows older than `cutoff`.
  absl::StatusOr<bool> Remove(const SqliteStatement& statement, absl::Time cutoff);
  absl::Status Put(const SessionRecord& record);
  absl::StatusOr<int64_t> Put(const IntentRecord& intent);

  const std::unique_ptr<SqliteDatabase> database_;
  SqliteStatement find_seen_, add_seen_, find_session_, put_session_, add_event_;
  SqliteStatement find_intent_, put_intent_, find_creating_, find_created_, orphans_;
  SqliteStatement due_, held_, put_off_;
  SqliteStatement old_events_, trim_events_, move_start_, trim_seen_, note_use_;
  SqliteStatement old_sessions_, old_intents_, trim_sessions_, trim_intents_;
  std::string log_id_;
  LogBounds bounds_;
  absl::Time last_recorded_at_ = absl::InfinitePast();
  std::optional<absl::Time> last_used_;
};

}  // namespace ipp::store
