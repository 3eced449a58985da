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

// The connection that writes, with its statements prepared. For one thread.
class SqliteWriter {
 public:
  // Opens or makes the file and brings its schema up to date. Errors name the path.
  static absl::StatusOr<std::unique_ptr<SqliteWriter>> Open(const std::string& path);

  // All of `batch`, one after another, in one SQL transaction: durable when it returns OK; when
  // not, nothing was written. ALREADY_EXISTS when one of them breaks a rule of its own (the others
  // are then free to be tried without it); any other error is the file's. `now` stamps the events,
  // unless the clock went back: time in the log does not.
  absl::StatusOr<std::vector<Committed>> Commit(absl::Span<const Transaction* const> batch,
                                                absl::Time now);

  // Store::LeaseDue.
  absl::StatusOr<std::vector<SessionRecord>> LeaseDue(const Lease& lease);
  // Store::OrphanIntents.
  absl::StatusOr<std::vector<IntentRecord>> OrphanIntents(const Orphans& which);

  // Store::BeginEpoch.
  absl::StatusOr<LogBounds> BeginEpoch(const NewEpoch& epoch);

  // One small step; true when there may be more to remove.
  absl::StatusOr<bool> Trim(const Cutoffs& cutoffs);
  // When the store was last in use, as far as it has written that down; absent when it is new.
  std::optional<absl::Time> last_used() const { return last_used_; }
  // Writes down that it is in use now.
  absl::Status NoteUse(absl::Time now);

  // Commits a change that nobody sees, to find out whether a commit can be made.
  absl::Status Probe();

  const std::string& log_id() const { return log_id_; }
  const LogBounds& bounds() const { return bounds_; }

 private:
  explicit SqliteWriter(std::unique_ptr<SqliteDatabase> database)
      : database_(std::move(database)) {}
  absl::Status Prepare();
  absl::Status LoadLog();
  // `latest` is the last position used so far in this batch.
  absl::StatusOr<Committed> Apply(const Transaction& transaction, absl::Time recorded_at,
                                  int64_t* latest);
  absl::StatusOr<Snapshot> Load(const Transaction& transaction, absl::Time now);
  absl::StatusOr<std::vector<SessionRecord>> FindDue(const Lease& lease);
  absl::StatusOr<bool> TrimEvents(absl::Time cutoff);
  absl::StatusOr<bool> TrimSessions(absl::Time cutoff);
  absl::StatusOr<bool> TrimIntents(absl::Time cutoff);
  // `statement` removes at most a step's worth of rows older than `cutoff`.
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
