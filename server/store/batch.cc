#include "server/store/batch.h"

#include <algorithm>
#include <optional>

#include "server/base/status_macros.h"
#include "server/store/event_row.h"
#include "server/store/keepable.h"

namespace ipp::store {
namespace {

// A larger batch is committed one transaction at a time: the column of a batch is one message to
// the server, of 1 GiB at most.
constexpr size_t kMaxBatchBytes = size_t{256} << 20;

// Whether the session of this create may still be discovered.
bool IsCreating(const IntentRecord& intent, absl::Time now) {
  return (intent.state == IntentState::kUnderWay || intent.state == IntentState::kUnknown) &&
         intent.settle_by > now && intent.rpc == "CreateSession";
}

class Batch {
 public:
  Batch(BatchReads reads, absl::Time now, size_t transactions)
      : reads_(std::move(reads)), alone_(transactions == 1) {
    writes_.committed.reserve(transactions);
    // Rounded to what the tables store, so that the next writer continues from exactly the same
    // time.
    writes_.recorded_at = KeptTime(std::max(now, reads_.last_recorded_at));
    writes_.last_position = reads_.last_position;
    writes_.last_intent = reads_.last_intent;
    for (const auto& [key, intent] : reads_.intents) Note(key, intent);
  }

  absl::Status Apply(const Transaction& transaction) {
    Snapshot snapshot = Load(transaction);
    Writes writes = transaction.decide(snapshot);
    IPP_RETURN_IF_ERROR(CheckKeepable(transaction, writes));
    StampByTheStore(&writes);
    bytes_ += BytesOf(writes);
    if (!alone_ && bytes_ > kMaxBatchBytes) {
      return absl::InvalidArgumentError("the batch is too large for one message to the server");
    }
    Committed committed;
    committed.already_seen = snapshot.already_seen;
    committed.decided = std::move(writes.decided);
    if (!transaction.dedup_key.empty() && reads_.seen.insert(transaction.dedup_key).second) {
      writes_.seen.push_back(transaction.dedup_key);
    }
    if (writes.session) {
      IPP_RETURN_IF_ERROR(Put(*writes.session));
    }
    if (writes.intent) {
      IPP_RETURN_IF_ERROR(Put(transaction, &*writes.intent));
    }
    if (writes.cancel) writes_.cancels.push_back(*std::move(writes.cancel));
    for (NewEvent& event : writes.events) {
      writes_.events.push_back(
          MakeRow(std::move(event.event), ++writes_.last_position, writes_.recorded_at));
      committed.positions.push_back(writes_.last_position);
    }
    committed.session = std::move(writes.session ? writes.session : snapshot.session);
    committed.intent = std::move(writes.intent ? writes.intent : snapshot.intent);
    writes_.committed.push_back(std::move(committed));
    return absl::OkStatus();
  }

  BatchWrites Take() { return std::move(writes_); }

 private:
  Snapshot Load(const Transaction& transaction) const {
    Snapshot snapshot;
    snapshot.already_seen =
        !transaction.dedup_key.empty() && reads_.seen.contains(transaction.dedup_key);
    const std::string& merchant_id = transaction.merchant_id;
    if (!transaction.session_id.empty()) {
      const SessionKey key(merchant_id, transaction.session_id);
      if (const auto* now = Current(key, writes_.sessions, reads_.sessions)) {
        snapshot.session = *now;
      }
    }
    if (!transaction.request_id.empty()) {
      const IntentKey key(merchant_id, transaction.request_id);
      if (const auto* now = Current(key, writes_.intents, reads_.intents)) snapshot.intent = *now;
    }
    snapshot.creating = transaction.ask_creating && Creating(merchant_id);
    if (transaction.ask_created) snapshot.created = Created({merchant_id, transaction.request_id});
    return snapshot;
  }

  // In its current state within the batch, including a session that got its request id within the
  // batch.
  std::optional<SessionRecord> Created(const IntentKey& key) const {
    for (const auto& [session, record] : writes_.sessions) {
      if (IntentKey(record.merchant_id, record.request_id) == key) return record;
    }
    const auto found = reads_.created.find(key);
    if (found == reads_.created.end()) return std::nullopt;
    return found->second;
  }

  // The record in its current state within the batch.
  template <typename Key, typename Record>
  static const Record* Current(const Key& key, const std::map<Key, Record>& written,
                               const std::map<Key, Record>& read) {
    for (const auto* records : {&written, &read}) {
      const auto found = records->find(key);
      if (found != records->end()) return &found->second;
    }
    return nullptr;
  }

  // Retention goes by `updated_at`. What a gateway with a slow clock has just written must not be
  // removed by another one, or by the same one after its clock was set right. A session whose time
  // was left as it is has no news, only a note.
  void StampByTheStore(Writes* writes) const {
    if (writes->session) {
      SessionRecord& record = *writes->session;
      const SessionRecord* before =
          Current(SessionKey(record.merchant_id, record.session.session_id()), writes_.sessions,
                  reads_.sessions);
      if (before == nullptr || before->updated_at != record.updated_at) {
        RaiseTo(writes_.recorded_at, &record.updated_at);
      }
    }
    if (writes->intent) RaiseTo(writes_.recorded_at, &writes->intent->updated_at);
  }
  static void RaiseTo(absl::Time least, absl::Time* time) { *time = std::max(*time, least); }

  absl::Status Put(const SessionRecord& record) {
    const SessionKey key(record.merchant_id, record.session.session_id());
    if (const auto* before = Current(key, writes_.sessions, reads_.sessions);
        !alone_ && before != nullptr && !before->request_id.empty() &&
        before->request_id != record.request_id) {
      return absl::AlreadyExistsError("a request id is given up within a batch");
    }
    writes_.sessions.insert_or_assign(key, record);
    return absl::OkStatus();
  }

  // Assigns the id: that of the existing row, or the next one.
  absl::Status Put(const Transaction& transaction, IntentRecord* intent) {
    IntentKey key(intent->merchant_id, intent->request_id);
    if (key != IntentKey(transaction.merchant_id, transaction.request_id)) {
      return absl::InvalidArgumentError("a transaction writes an intent that it did not ask for");
    }
    const auto* before = Current(key, writes_.intents, reads_.intents);
    intent->id = before != nullptr ? before->id : ++writes_.last_intent;
    Note(key, *intent);
    writes_.intents.insert_or_assign(std::move(key), *intent);
    return absl::OkStatus();
  }

  bool Creating(const std::string& merchant_id) const {
    if (reads_.creating.contains(merchant_id)) return true;
    const auto first = creating_.lower_bound({merchant_id, ""});
    return first != creating_.end() && first->first == merchant_id;
  }
  void Note(const IntentKey& key, const IntentRecord& intent) {
    if (IsCreating(intent, writes_.recorded_at)) {
      creating_.insert(key);
    } else {
      creating_.erase(key);
    }
  }

  BatchReads reads_;
  const bool alone_;
  size_t bytes_ = 0;
  BatchWrites writes_;
  std::set<IntentKey> creating_;  // of the batch's own intents, in their current state
};

}  // namespace

BatchKeys KeysOf(absl::Span<const Transaction* const> batch) {
  BatchKeys keys;
  for (const Transaction* transaction : batch) {
    if (!transaction->dedup_key.empty()) keys.dedup_keys.insert(transaction->dedup_key);
    if (!transaction->session_id.empty()) {
      keys.sessions.emplace(transaction->merchant_id, transaction->session_id);
    }
    if (!transaction->request_id.empty()) {
      keys.intents.emplace(transaction->merchant_id, transaction->request_id);
    }
    if (transaction->ask_created) {
      keys.ask_created.emplace(transaction->merchant_id, transaction->request_id);
    }
    if (transaction->ask_creating) keys.ask_creating.insert(transaction->merchant_id);
  }
  return keys;
}

absl::StatusOr<BatchWrites> Decide(absl::Span<const Transaction* const> batch, BatchReads reads,
                                   absl::Time now) {
  Batch decided(std::move(reads), now, batch.size());
  for (const Transaction* transaction : batch) {
    if (absl::Status applied = decided.Apply(*transaction); !applied.ok()) return applied;
  }
  return decided.Take();
}

}  // namespace ipp::store
