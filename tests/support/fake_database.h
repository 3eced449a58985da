#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/mutex.h"
#include "server/store/backend.h"
#include "server/store/batch.h"
#include "server/store/keepable.h"
#include "server/store/retention.h"
#include "server/store/store.h"
#include "tests/support/fake_search.h"
#include "tests/support/fake_shared_tables.h"

// A database in memory: both halves of a store's backend (server/store/backend.h). FakeStore makes
// a Store of it.
namespace ipp::store {

// What a FakeDatabase holds: hand it to the next one to play a restart.
struct FakeDisk {
  std::string log_id = "0123456789abcdef";
  std::map<SessionKey, SessionRecord> sessions;
  std::map<IntentKey, std::string> requests;  // to session_id
  std::map<IntentKey, IntentRecord> intents;
  int64_t last_intent = 0;
  std::set<std::string> seen;
  std::vector<StoredEvent> events;  // oldest first
  std::vector<AskedCancel> cancels;
  int64_t latest = 0;
  absl::Time last_recorded_at = absl::InfinitePast();
  std::vector<LogEpoch> epochs = {LogEpoch()};
  absl::Time creates_held_until = absl::InfinitePast();
  FakeSharedRows shared;
};

class FakeDatabase final : public WriteBackend, public ReadBackend {
 public:
  explicit FakeDatabase(std::shared_ptr<FakeDisk> disk) : disk_(std::move(disk)) {}

  // ---- For tests. ----

  // Runs `change` on what is held; returns its result.
  template <typename F>
  auto With(F change) const {
    MutexLock lock(&mutex_);
    return change(*disk_);
  }
  // The next `count` commits write nothing and get `status`.
  void FailCommits(absl::Status status, int count) {
    MutexLock lock(&mutex_);
    commit_failure_ = std::move(status);
    commit_failures_ = count;
  }
  // What the next commit will get.
  absl::Status commit_failure() const {
    MutexLock lock(&mutex_);
    return commit_failures_ > 0 ? commit_failure_ : absl::OkStatus();
  }
  // The next `count` reads get `status`.
  void FailReads(absl::Status status, int count) {
    MutexLock lock(&mutex_);
    read_failure_ = std::move(status);
    read_failures_ = count;
  }

  // ---- WriteBackend. ----

  absl::StatusOr<BatchReads> Read(const BatchKeys& keys, absl::Time now) override {
    MutexLock lock(&mutex_);
    if (absl::Status failure = TakeFailure(); !failure.ok()) return failure;
    BatchReads reads{.last_position = disk_->latest,
                     .last_recorded_at = disk_->last_recorded_at,
                     .last_intent = disk_->last_intent};
    for (const std::string& key : keys.dedup_keys) {
      if (disk_->seen.contains(key)) reads.seen.insert(key);
    }
    for (const SessionKey& key : keys.sessions) Find(disk_->sessions, key, &reads.sessions);
    for (const IntentKey& key : keys.intents) Find(disk_->intents, key, &reads.intents);
    for (const IntentKey& key : keys.ask_created) {
      const auto made = disk_->requests.find(key);
      if (made == disk_->requests.end()) continue;
      reads.created[key] = disk_->sessions.at({key.first, made->second});
    }
    for (const auto& [key, intent] : disk_->intents) {
      const bool open =
          intent.state == IntentState::kUnderWay || intent.state == IntentState::kUnknown;
      if (keys.ask_creating.contains(key.first) && !keys.intents.contains(key) && open &&
          intent.settle_by > now && intent.rpc == "CreateSession") {
        reads.creating.insert(key.first);
      }
    }
    return reads;
  }

  absl::Status Write(const BatchWrites& writes) override {
    MutexLock lock(&mutex_);
    for (const auto& [key, record] : writes.sessions) {
      const auto owner = disk_->requests.find({record.merchant_id, record.request_id});
      if (owner != disk_->requests.end() && owner->second != record.session.session_id()) {
        return absl::AlreadyExistsError("another session was made under this request_id");
      }
    }
    for (const auto& [key, record] : writes.sessions) Put(key, record);
    for (const auto& [key, intent] : writes.intents) {
      IntentRecord& kept = disk_->intents[key] = intent;
      for (absl::Time* time :
           {&kept.created_at, &kept.updated_at, &kept.under_way_until, &kept.settle_by}) {
        *time = KeptTime(*time);
      }
    }
    disk_->last_intent = writes.last_intent;
    disk_->seen.insert(writes.seen.begin(), writes.seen.end());
    disk_->events.insert(disk_->events.end(), writes.events.begin(), writes.events.end());
    for (AskedCancel cancel : writes.cancels) {
      cancel.asked_at = KeptTime(cancel.asked_at);
      disk_->cancels.push_back(std::move(cancel));
    }
    disk_->latest = writes.last_position;
    disk_->last_recorded_at = writes.recorded_at;
    return absl::OkStatus();
  }

  void Abandon(const absl::Status&) override {}

  absl::Status InShared(absl::Time now,
                        absl::FunctionRef<absl::Status(SharedTables&)> body) override {
    MutexLock lock(&mutex_);
    if (absl::Status failure = TakeFailure(); !failure.ok()) return failure;
    const std::map<int64_t, StoredEvent> log = Log();
    FakeSharedRows changed = disk_->shared;
    FakeSharedTables tables(&changed, &log);
    tables.set_now(now);
    tables.set_range(Oldest(log), disk_->latest);
    absl::Status status = body(tables);
    if (status.ok()) disk_->shared = std::move(changed);
    return status;
  }
  // Its reads are those of the moment of this call.
  SharedReads& shared() override {
    MutexLock lock(&mutex_);
    read_log_ = Log();
    read_rows_ = disk_->shared;
    return read_tables_;
  }

  absl::StatusOr<std::vector<SessionRecord>> LeaseDue(const Lease& lease) override {
    MutexLock lock(&mutex_);
    if (absl::Status failure = TakeFailure(); !failure.ok()) return failure;
    std::vector<SessionRecord*> due;
    const auto& without = lease.without_merchants;
    for (auto& [key, record] : disk_->sessions) {
      const absl::Time at = record.next_check_at;
      const bool put_off_too_far =
          !lease.held_since && at != absl::InfiniteFuture() && at > lease.now + lease.longest;
      if (at > lease.now && !put_off_too_far) continue;
      const bool wanted =
          lease.held_since
              ? !record.held_event.empty() && record.created_at <= *lease.held_since
              : std::find(without.begin(), without.end(), record.merchant_id) == without.end();
      if (wanted) due.push_back(&record);
    }
    std::stable_sort(due.begin(), due.end(), [&](const SessionRecord* a, const SessionRecord* b) {
      return lease.held_since ? a->created_at < b->created_at : a->next_check_at < b->next_check_at;
    });
    std::vector<SessionRecord> taken;
    for (SessionRecord* record : due) {
      if (static_cast<int>(taken.size()) == lease.limit) break;
      record->next_check_at = lease.now + lease.pause(*record);
      ++record->checks;
      taken.push_back(*record);
    }
    return taken;
  }

  absl::StatusOr<std::vector<IntentRecord>> OrphanIntents(const Orphans& which) override {
    MutexLock lock(&mutex_);
    std::vector<IntentRecord> orphans;
    for (auto& [key, intent] : disk_->intents) {
      if (intent.state != IntentState::kUnderWay) continue;
      if (intent.under_way_until >= which.under_way_before) continue;
      if (static_cast<int>(orphans.size()) == which.limit) break;
      intent.state = IntentState::kUnknown;
      intent.updated_at = std::max(intent.updated_at, which.now);
      orphans.push_back(intent);
    }
    return orphans;
  }

  absl::StatusOr<LogBounds> BeginEpoch(const NewEpoch& epoch) override {
    MutexLock lock(&mutex_);
    disk_->epochs.push_back(
        {.sequence = std::max(epoch.after_sequence, disk_->epochs.back().sequence) + 1,
         .label = UnusedLabel(disk_->epochs),
         .starts_after = std::min(epoch.starts_after.value_or(disk_->latest), disk_->latest)});
    if (disk_->epochs.size() > kMaxEpochs) disk_->epochs.erase(disk_->epochs.begin());
    if (epoch.hold_creates_until) disk_->creates_held_until = *epoch.hold_creates_until;
    for (auto& [key, record] : disk_->sessions) {
      if (record.open) record.next_check_at = std::min(record.next_check_at, epoch.sessions_due);
    }
    return BoundsOf(*disk_);
  }

  absl::StatusOr<LogBounds> ReadBounds() override { return With(&BoundsOf); }
  absl::StatusOr<int64_t> SizeBytes() override { return 4096; }

  // Tests trim by themselves (FakeStore::TrimBefore).
  absl::StatusOr<Trimmed> Trim(const Cutoffs&, absl::Time) override { return Trimmed{}; }
  absl::StatusOr<bool> IndexSessions() override { return false; }
  absl::StatusOr<std::optional<absl::Time>> ReadClock() override { return std::nullopt; }
  absl::Status Probe() override {
    MutexLock lock(&mutex_);
    return TakeFailure();
  }

  // ---- ReadBackend. ----

  absl::StatusOr<SessionRecord> FindSession(const std::string& merchant_id,
                                            const std::string& session_id) override {
    return Reading([&](const FakeDisk& disk) -> absl::StatusOr<SessionRecord> {
      const auto found = disk.sessions.find({merchant_id, session_id});
      if (found == disk.sessions.end()) return absl::NotFoundError("session is not known");
      return found->second;
    });
  }

  absl::StatusOr<SessionRecord> FindSessionByRequest(const std::string& merchant_id,
                                                     const std::string& request_id) override {
    return Reading([&](const FakeDisk& disk) -> absl::StatusOr<SessionRecord> {
      const auto found = disk.requests.find({merchant_id, request_id});
      if (found == disk.requests.end()) return absl::NotFoundError("session is not known");
      return disk.sessions.at({merchant_id, found->second});
    });
  }

  absl::StatusOr<IntentRecord> FindIntent(const std::string& merchant_id,
                                          const std::string& request_id) override {
    return Reading([&](const FakeDisk& disk) -> absl::StatusOr<IntentRecord> {
      const auto found = disk.intents.find({merchant_id, request_id});
      if (found == disk.intents.end()) return absl::NotFoundError("intent is not known");
      return found->second;
    });
  }

  absl::StatusOr<std::vector<IntentRecord>> ListIntents(const IntentQuery& query) override {
    return Reading([&](const FakeDisk& disk) -> absl::StatusOr<std::vector<IntentRecord>> {
      std::map<int64_t, IntentRecord, std::greater<>> found;
      const auto in = [](const auto& list, const auto& value) {
        return std::find(list.begin(), list.end(), value) != list.end();
      };
      for (const auto& [key, intent] : disk.intents) {
        if (!in(query.merchant_ids, intent.merchant_id)) continue;
        if (!query.states.empty() && !in(query.states, intent.state)) continue;
        if (query.before_id > 0 && intent.id >= query.before_id) continue;
        found[intent.id] = intent;
      }
      std::vector<IntentRecord> newest;
      for (const auto& [id, intent] : found) {
        if (static_cast<int>(newest.size()) == query.limit) break;
        newest.push_back(intent);
      }
      return newest;
    });
  }

  absl::StatusOr<std::vector<bool>> AreSettled(const std::vector<IntentKey>& creates) override {
    return Reading([&](const FakeDisk& disk) -> absl::StatusOr<std::vector<bool>> {
      std::vector<bool> settled;
      for (const IntentKey& key : creates) {
        const auto intent = disk.intents.find(key);
        const bool known =
            intent != disk.intents.end() &&
            (intent->second.state == IntentState::kRejected || !intent->second.session_id.empty());
        settled.push_back(known || disk.requests.contains(key));
      }
      return settled;
    });
  }

  absl::StatusOr<IntentCounts> CountIntents() override {
    return Reading([](const FakeDisk& disk) -> absl::StatusOr<IntentCounts> {
      IntentCounts counts;
      for (const auto& [key, intent] : disk.intents) {
        if (intent.trimmed) continue;
        if (intent.state == IntentState::kUnderWay) ++counts.under_way;
        if (intent.state != IntentState::kUnknown) continue;
        ++counts.unknown;
        counts.oldest_unknown = std::min(counts.oldest_unknown, intent.created_at);
      }
      return counts;
    });
  }

  absl::StatusOr<OpenSessions> CountOpen(absl::Time overdue_before) override {
    return Reading([&](const FakeDisk& disk) -> absl::StatusOr<OpenSessions> {
      OpenSessions open;
      for (const auto& [key, record] : disk.sessions) {
        if (!record.open) continue;
        ++open.count;
        if (record.created_at < overdue_before) ++open.overdue;
        open.oldest = std::min(open.oldest, record.created_at);
      }
      return open;
    });
  }

  absl::StatusOr<SessionScan> ScanSessions(const SessionQuery& query) override {
    return Reading([&](const FakeDisk& disk) { return FakeScan(disk.sessions, query); });
  }
  absl::StatusOr<std::vector<AskedCancel>> ListCancels(const std::string& merchant_id,
                                                       const std::string& session_id,
                                                       int limit) override {
    return Reading([&](const FakeDisk& disk) {
      return FirstOf(disk.cancels, merchant_id, session_id, 0, limit);
    });
  }
  absl::StatusOr<std::vector<StoredEvent>> ReadSessionEvents(const std::string& merchant_id,
                                                             const std::string& session_id,
                                                             int64_t after, int limit) override {
    return Reading([&](const FakeDisk& disk) {
      return FirstOf(disk.events, merchant_id, session_id, after, limit);
    });
  }

  absl::StatusOr<std::vector<StoredEvent>> ReadEvents(int64_t after, int limit) override {
    return Reading([&](const FakeDisk& disk) -> absl::StatusOr<std::vector<StoredEvent>> {
      std::vector<StoredEvent> events;
      size_t bytes = 0;
      for (const StoredEvent& event : disk.events) {
        if (event.position <= after) continue;
        if (static_cast<int>(events.size()) >= limit || bytes >= kPageBytes) break;
        bytes += event.payload.size();
        events.push_back(event);
      }
      return events;
    });
  }

  absl::StatusOr<int64_t> FindPosition(absl::Time time) override {
    return Reading([&](const FakeDisk& disk) -> absl::StatusOr<int64_t> {
      for (const StoredEvent& event : disk.events) {
        if (event.recorded_at >= time) return event.position - 1;
      }
      return disk.latest;
    });
  }

  static LogBounds BoundsOf(const FakeDisk& disk) {
    return {.oldest = disk.events.empty() ? disk.latest + 1 : disk.events.front().position,
            .latest = disk.latest,
            .epochs = disk.epochs,
            .creates_held_until = disk.creates_held_until};
  }

 private:
  std::map<int64_t, StoredEvent> Log() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    std::map<int64_t, StoredEvent> log;
    for (const StoredEvent& event : disk_->events) log.emplace(event.position, event);
    return log;
  }
  int64_t Oldest(const std::map<int64_t, StoredEvent>& log) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return log.empty() ? disk_->latest + 1 : log.begin()->first;
  }

  static constexpr size_t kPageBytes = 1 << 20;

  template <typename Key, typename Record>
  static void Find(const std::map<Key, Record>& held, const Key& key, std::map<Key, Record>* read) {
    const auto found = held.find(key);
    if (found != held.end()) read->emplace(key, found->second);
  }

  void Put(const SessionKey& key, const SessionRecord& record)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    SessionRecord& kept = disk_->sessions[key];
    if (kept.request_id != record.request_id) {
      disk_->requests.erase({record.merchant_id, kept.request_id});
    }
    if (!record.request_id.empty()) {
      disk_->requests[{record.merchant_id, record.request_id}] = record.session.session_id();
    }
    kept = record;
    for (absl::Time* time : {&kept.created_at, &kept.updated_at}) *time = KeptTime(*time);
    if (kept.next_check_at != absl::InfiniteFuture()) {
      kept.next_check_at = KeptTime(kept.next_check_at);
    }
  }

  absl::Status TakeFailure() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (commit_failures_ == 0) return absl::OkStatus();
    --commit_failures_;
    return commit_failure_;
  }

  template <typename F>
  auto Reading(F read) -> decltype(read(std::declval<const FakeDisk&>())) {
    MutexLock lock(&mutex_);
    if (read_failures_ == 0) return read(*disk_);
    --read_failures_;
    return read_failure_;
  }

  mutable Mutex mutex_;
  const std::shared_ptr<FakeDisk> disk_;  // what it points to: guarded by mutex_
  absl::Status commit_failure_ ABSL_GUARDED_BY(mutex_);
  int commit_failures_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status read_failure_ ABSL_GUARDED_BY(mutex_);
  int read_failures_ ABSL_GUARDED_BY(mutex_) = 0;
  // For shared(); the reader's thread only.
  std::map<int64_t, StoredEvent> read_log_;
  FakeSharedRows read_rows_;
  FakeSharedTables read_tables_{&read_rows_, &read_log_};
};

}  // namespace ipp::store
