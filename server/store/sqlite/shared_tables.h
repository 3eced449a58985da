#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "server/store/log_bounds.h"
#include "server/store/shared_tables.h"
#include "server/store/sqlite/database.h"

namespace ipp::store {

// The rows of shared subscriptions, over the writing connection. For the writer thread.
class SqliteSharedTables final : public SharedTables {
 public:
  // `bounds` are those of the log as this connection last wrote them. Both must outlive this.
  static absl::StatusOr<std::unique_ptr<SqliteSharedTables>> Create(SqliteDatabase* database,
                                                                    const LogBounds* bounds);

  // See WriteBackend::InShared.
  absl::Status InTransaction(absl::Time now, absl::FunctionRef<absl::Status(SharedTables&)> body);
  // Removes at most `limit` rows of sessions of which nothing is out or held. Returns how many.
  absl::StatusOr<int64_t> TrimIdle(absl::Time cutoff, int64_t limit);

  absl::Time now() const override { return now_; }
  absl::StatusOr<std::vector<SharedRecord>> List(const std::string& caller) override;
  absl::Status Insert(const SharedRecord& record) override;
  absl::StatusOr<std::optional<SharedView>> Lock(int64_t id) override;
  absl::Status Move(const SharedRecord& record) override;
  absl::Status Remove(int64_t id) override;
  absl::StatusOr<std::vector<SharedHead>> Due(int64_t id, absl::Time after, absl::Time until,
                                              int limit) override;
  absl::StatusOr<std::vector<SharedHead>> Heads(int64_t id,
                                                const std::vector<SessionKey>& sessions) override;
  absl::StatusOr<std::vector<SharedHead>> HeadsBefore(int64_t id, int64_t position) override;
  absl::Status PutHeads(int64_t id, const std::vector<SharedHead>& heads) override;
  absl::StatusOr<std::vector<StoredEvent>> EventsAfter(int64_t after, int limit) override;
  absl::StatusOr<std::vector<StoredEvent>> EventsAt(const std::vector<int64_t>& positions) override;
  absl::StatusOr<std::vector<StoredEvent>> EventsOf(const std::vector<SessionRange>& ranges,
                                                    int64_t until, int limit) override;
  absl::StatusOr<std::vector<SharedParked>> ParkedAt(
      int64_t id, const std::vector<int64_t>& positions) override;
  absl::StatusOr<std::vector<SharedParked>> ParkedBy(int64_t id,
                                                     const std::vector<std::string>& event_ids,
                                                     int limit) override;
  absl::StatusOr<std::vector<SharedParked>> Redriving(
      int64_t id, const std::vector<SessionKey>& sessions) override;
  absl::Status PutParked(int64_t id, const std::vector<SharedParked>& parked) override;
  absl::Status RemoveParked(int64_t id, const std::vector<int64_t>& positions) override;

 private:
  SqliteSharedTables(SqliteDatabase* database, const LogBounds* bounds)
      : database_(database), bounds_(*bounds) {}

  SqliteDatabase* const database_;
  const LogBounds& bounds_;
  absl::Time now_;
  bool wrote_ = false;  // in this transaction
  SqliteStatement list_, insert_, find_, move_, remove_, remove_heads_, remove_parked_;
  SqliteStatement due_, head_, heads_before_, put_head_;
  SqliteStatement events_after_, event_, events_of_;
  SqliteStatement parked_, parked_by_id_, parked_first_, redriving_, put_parked_, drop_parked_;
  SqliteStatement trim_idle_;
};

// The same for the reading connection and the reader thread.
class SqliteSharedReads final : public SharedReads {
 public:
  static absl::StatusOr<std::unique_ptr<SqliteSharedReads>> Create(SqliteDatabase* database);

  absl::StatusOr<std::vector<SharedRecord>> List(const std::string* caller) override;
  absl::StatusOr<std::optional<SharedCounts>> Count(int64_t id, absl::Time now) override;
  absl::StatusOr<std::vector<SharedParked>> ListParked(int64_t id, int64_t after,
                                                       int limit) override;
  absl::StatusOr<std::vector<SharedHead>> Heads(int64_t id,
                                                const std::vector<SessionKey>& sessions) override;

 private:
  SqliteStatement list_, list_all_, count_, list_parked_, head_;
};

}  // namespace ipp::store
