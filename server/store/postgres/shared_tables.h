#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/store/postgres/connection.h"
#include "server/store/shared_tables.h"

namespace ipp::store {

// The statements of the classes below, for PostgresConnection::Prepare.
std::vector<PostgresStatement> PostgresSharedStatements();
std::vector<PostgresStatement> PostgresSharedReadStatements();

// The rows of shared subscriptions, within one transaction on `connection`, which the caller ends.
// What is written waits for the next read, or for TakeWrites: one round trip for all.
class PostgresSharedTables final : public SharedTables {
 public:
  // `now`: the time, unless the database's clock is used.
  PostgresSharedTables(PostgresConnection* connection, std::chrono::nanoseconds limit,
                       std::optional<absl::Time> now)
      : connection_(*connection), limit_(limit), given_now_(now) {}

  // Begins the transaction.
  absl::Status Begin();
  // What is still to be written.
  std::vector<PostgresCall> TakeWrites() { return std::move(writes_); }
  // Whether anything was written, or is to be.
  bool wrote() const { return wrote_; }

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
  // Runs the writes that wait, and `name`; returns the rows of `name`.
  absl::StatusOr<PostgresRows> Ask(const char* name, PostgresArguments arguments);
  absl::Status Write(const char* name, PostgresArguments arguments);
  void SetNow(const PostgresRows& clock);

  PostgresConnection& connection_;
  const std::chrono::nanoseconds limit_;
  const std::optional<absl::Time> given_now_;
  absl::Time now_;
  std::vector<PostgresCall> writes_;
  bool wrote_ = false;
};

}  // namespace ipp::store
