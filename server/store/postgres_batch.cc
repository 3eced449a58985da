#include "server/store/postgres_batch.h"

#include <algorithm>
#include <optional>

#include "server/store/event_row.h"
#include "server/store/postgres_rows.h"

namespace ipp::store {
namespace {

class Batch {
 public:
  Batch(BatchReads reads, absl::Time now, bool alone) : reads_(std::move(reads)), alone_(alone) {
    // Cut to what the tables keep, so that whoever comes next goes on from the very same time.
    writes_.recorded_at = FromPostgresNanos(PostgresNanos(std::max(now, reads_.last_recorded_at)));
    writes_.last_position = reads_.last_position;
  }

  absl::Status Apply(const Transaction& transaction) {
    Snapshot snapshot = Load(transaction);
    Writes writes = transaction.decide(snapshot);
    Committed committed;
    committed.already_seen = snapshot.already_seen;
    if (!transaction.dedup_key.empty() && reads_.seen.insert(transaction.dedup_key).second) {
      writes_.seen.push_back(transaction.dedup_key);
    }
    if (writes.session) {
      if (absl::Status put = Put(*writes.session); !put.ok()) return put;
    }
    for (NewEvent& event : writes.events) {
      writes_.events.push_back(
          MakeRow(std::move(event.event), ++writes_.last_position, writes_.recorded_at));
      committed.positions.push_back(writes_.last_position);
    }
    committed.session = std::move(writes.session ? writes.session : snapshot.session);
    writes_.committed.push_back(std::move(committed));
    return absl::OkStatus();
  }

  BatchWrites Take() { return std::move(writes_); }

 private:
  Snapshot Load(const Transaction& transaction) const {
    Snapshot snapshot;
    snapshot.already_seen =
        !transaction.dedup_key.empty() && reads_.seen.contains(transaction.dedup_key);
    if (transaction.session_id.empty()) return snapshot;
    const SessionRecord* current = Current({transaction.merchant_id, transaction.session_id});
    if (current != nullptr) snapshot.session = *current;
    return snapshot;
  }

  // As the transactions so far left it.
  const SessionRecord* Current(const SessionKey& key) const {
    for (const auto* sessions : {&writes_.sessions, &reads_.sessions}) {
      const auto found = sessions->find(key);
      if (found != sessions->end()) return &found->second;
    }
    return nullptr;
  }

  absl::Status Put(const SessionRecord& record) {
    const SessionKey key(record.merchant_id, record.session.session_id());
    if (const SessionRecord* before = Current(key); !alone_ && before != nullptr &&
                                                    !before->request_id.empty() &&
                                                    before->request_id != record.request_id) {
      return absl::AlreadyExistsError("a request id is given up within a batch");
    }
    writes_.sessions.insert_or_assign(key, record);
    return absl::OkStatus();
  }

  BatchReads reads_;
  const bool alone_;
  BatchWrites writes_;
};

}  // namespace

BatchKeys KeysOf(absl::Span<const Transaction* const> batch) {
  BatchKeys keys;
  for (const Transaction* transaction : batch) {
    if (!transaction->dedup_key.empty()) keys.dedup_keys.insert(transaction->dedup_key);
    if (!transaction->session_id.empty()) {
      keys.sessions.emplace(transaction->merchant_id, transaction->session_id);
    }
  }
  return keys;
}

absl::StatusOr<BatchWrites> Decide(absl::Span<const Transaction* const> batch, BatchReads reads,
                                   absl::Time now) {
  Batch decided(std::move(reads), now, batch.size() == 1);
  for (const Transaction* transaction : batch) {
    if (absl::Status applied = decided.Apply(*transaction); !applied.ok()) return applied;
  }
  return decided.Take();
}

}  // namespace ipp::store
