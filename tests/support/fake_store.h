#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/mutex.h"
#include "server/store/event_row.h"
#include "server/store/keepable.h"
#include "server/store/listener_slot.h"
#include "server/store/retention.h"
#include "server/store/store.h"

namespace ipp::store {

// What a FakeStore leaves behind: hand it to the next one to play a restart.
struct FakeDisk {
  std::string log_id = "0123456789abcdef";
  std::map<std::pair<std::string, std::string>, SessionRecord> sessions;
  std::map<std::pair<std::string, std::string>, std::string> requests;  // to session_id
  std::map<std::pair<std::string, std::string>, IntentRecord> intents;
  int64_t last_intent = 0;
  std::set<std::string> seen;
  std::vector<StoredEvent> events;  // oldest first
  int64_t latest = 0;
  absl::Time last_recorded_at = absl::InfinitePast();
  std::vector<LogEpoch> epochs = {LogEpoch()};
  absl::Time creates_held_until = absl::InfinitePast();
};

// A Store in memory that passes the stores' contract suite. Each transaction is a batch of its own.
//
// kThread: callbacks run on the fake's thread, as with a real store. kManual: nothing happens until
// the test calls RunAll(), and callbacks run inside that on the test's thread: no thread at all.
class FakeStore final : public Store {
 public:
  enum class Mode { kThread, kManual };

  explicit FakeStore(Clock* clock, Mode mode = Mode::kThread,
                     std::shared_ptr<FakeDisk> disk = std::make_shared<FakeDisk>(),
                     size_t max_queue = 10000)
      : clock_(clock), max_queue_(max_queue), log_id_(disk->log_id), disk_(std::move(disk)) {
    if (mode == Mode::kThread) thread_ = std::thread([this] { Loop(); });
  }

  // What still waits gets CANCELLED, on this thread when there is no other.
  ~FakeStore() override {
    {
      MutexLock lock(&mutex_);
      stopping_ = true;
    }
    changed_.SignalAll();
    if (thread_.joinable()) thread_.join();
    std::deque<Work> waiting;
    {
      MutexLock lock(&mutex_);
      waiting.swap(refused_);
      std::move(queue_.begin(), queue_.end(), std::back_inserter(waiting));
      queue_.clear();
    }
    for (Work& work : waiting) std::move(work)(absl::CancelledError("the store is being closed"));
  }

  // ---- For tests. ----

  // Manual mode: does what waits, and what its callbacks ask for meanwhile. Returns how many calls
  // were done. Nothing while held.
  int RunAll() {
    int done = 0;
    while (RunOne()) ++done;
    return done;
  }
  // Calls wait, none is done, until Release().
  void Hold() { SetHeld(true); }
  void Release() { SetHeld(false); }
  // Calls that wait now.
  size_t waiting() const {
    MutexLock lock(&mutex_);
    return queue_.size();
  }
  // The next `count` commits write nothing and get `status`; health() too, until they are over.
  void FailCommits(absl::Status status, int count = 1) {
    MutexLock lock(&mutex_);
    commit_failure_ = std::move(status);
    commit_failures_ = count;
  }
  // The next commit is written, and its caller gets `status`: the connection broke meanwhile.
  void LoseAnswer(absl::Status status) {
    MutexLock lock(&mutex_);
    lost_answer_ = std::move(status);
  }
  // The next commit is tried again after it was written: its transaction finds what it wrote.
  void CommitTwice() {
    MutexLock lock(&mutex_);
    twice_ = true;
  }
  // The next `count` reads get `status`.
  void FailReads(absl::Status status, int count = 1) {
    MutexLock lock(&mutex_);
    read_failure_ = std::move(status);
    read_failures_ = count;
  }
  // Retention: forgets the events before position `oldest`.
  void TrimBefore(int64_t oldest) {
    MutexLock lock(&mutex_);
    std::erase_if(disk_->events, [oldest](const StoredEvent& e) { return e.position < oldest; });
  }
  // As when a backup is restored that is older than they are.
  void ForgetIntents() {
    MutexLock lock(&mutex_);
    disk_->intents.clear();
  }
  // Retention: of every create only its end is left.
  void TrimIntents() {
    MutexLock lock(&mutex_);
    for (auto& [key, intent] : disk_->intents) intent = Tombstone(std::move(intent));
  }
  // What happens to a database behind a gateway that runs: it holds the state of another time.
  void Replace(const FakeDisk& with) {
    MutexLock lock(&mutex_);
    *disk_ = with;
  }
  FakeDisk Copy() const {
    MutexLock lock(&mutex_);
    return *disk_;
  }
  // All events that are kept, with `recorded_at` and without cursor.
  std::vector<kustom::ipp::v1::SessionEvent> events() const {
    MutexLock lock(&mutex_);
    std::vector<kustom::ipp::v1::SessionEvent> events;
    for (const StoredEvent& row : disk_->events) events.emplace_back().ParseFromString(row.payload);
    return events;
  }
  // Commits that were acknowledged.
  int commits() const {
    MutexLock lock(&mutex_);
    return commits_;
  }

  // ---- Store. ----

  void Commit(Transaction transaction,
              absl::AnyInvocable<void(absl::StatusOr<Committed>) &&> done) override {
    Enqueue([this, transaction = std::move(transaction),
             done = std::move(done)](absl::Status admitted) mutable {
      if (!admitted.ok()) return std::move(done)(admitted);
      absl::StatusOr<Committed> committed = ApplyAsTold(transaction);
      if (committed.ok() && !committed->positions.empty()) {
        listener_.Run(committed->positions.back());
      }
      std::move(done)(std::move(committed));
    });
  }

  void FindSession(std::string merchant_id, std::string session_id,
                   absl::AnyInvocable<void(absl::StatusOr<SessionRecord>) &&> done) override {
    EnqueueRead<SessionRecord>(
        [key = std::make_pair(std::move(merchant_id), std::move(session_id))](
            const FakeDisk& disk) -> absl::StatusOr<SessionRecord> {
          const auto found = disk.sessions.find(key);
          if (found == disk.sessions.end()) return absl::NotFoundError("session is not known");
          return found->second;
        },
        std::move(done));
  }

  void FindSessionByRequest(
      std::string merchant_id, std::string request_id,
      absl::AnyInvocable<void(absl::StatusOr<SessionRecord>) &&> done) override {
    EnqueueRead<SessionRecord>(
        [key = std::make_pair(std::move(merchant_id), std::move(request_id))](
            const FakeDisk& disk) -> absl::StatusOr<SessionRecord> {
          const auto found = disk.requests.find(key);
          if (found == disk.requests.end()) return absl::NotFoundError("session is not known");
          return disk.sessions.at({key.first, found->second});
        },
        std::move(done));
  }

  void LeaseDue(
      Lease lease,
      absl::AnyInvocable<void(absl::StatusOr<std::vector<SessionRecord>>) &&> done) override {
    Enqueue(
        [this, lease = std::move(lease), done = std::move(done)](absl::Status admitted) mutable {
          if (!admitted.ok()) return std::move(done)(admitted);
          std::move(done)(Take(lease));
        });
  }

  void FindIntent(std::string merchant_id, std::string request_id,
                  absl::AnyInvocable<void(absl::StatusOr<IntentRecord>) &&> done) override {
    EnqueueRead<IntentRecord>(
        [key = std::make_pair(std::move(merchant_id), std::move(request_id))](
            const FakeDisk& disk) -> absl::StatusOr<IntentRecord> {
          const auto found = disk.intents.find(key);
          if (found == disk.intents.end()) return absl::NotFoundError("intent is not known");
          return found->second;
        },
        std::move(done));
  }

  void ListIntents(
      IntentQuery query,
      absl::AnyInvocable<void(absl::StatusOr<std::vector<IntentRecord>>) &&> done) override {
    EnqueueRead<std::vector<IntentRecord>>(
        [query =
             std::move(query)](const FakeDisk& disk) -> absl::StatusOr<std::vector<IntentRecord>> {
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
        },
        std::move(done));
  }

  void CountIntents(absl::AnyInvocable<void(absl::StatusOr<IntentCounts>) &&> done) override {
    EnqueueRead<IntentCounts>(
        [](const FakeDisk& disk) -> absl::StatusOr<IntentCounts> {
          IntentCounts counts;
          for (const auto& [key, intent] : disk.intents) {
            if (intent.trimmed) continue;
            if (intent.state == IntentState::kUnderWay) ++counts.under_way;
            if (intent.state != IntentState::kUnknown) continue;
            ++counts.unknown;
            counts.oldest_unknown = std::min(counts.oldest_unknown, intent.created_at);
          }
          return counts;
        },
        std::move(done));
  }

  void OrphanIntents(
      Orphans which,
      absl::AnyInvocable<void(absl::StatusOr<std::vector<IntentRecord>>) &&> done) override {
    Enqueue([this, which, done = std::move(done)](absl::Status admitted) mutable {
      if (!admitted.ok()) return std::move(done)(admitted);
      std::vector<IntentRecord> orphans;
      {
        MutexLock lock(&mutex_);
        for (auto& [key, intent] : disk_->intents) {
          if (intent.state != IntentState::kUnderWay) continue;
          if (intent.under_way_until >= which.under_way_before) continue;
          if (static_cast<int>(orphans.size()) == which.limit) break;
          intent.state = IntentState::kUnknown;
          intent.updated_at = std::max(intent.updated_at, which.now);
          orphans.push_back(intent);
        }
      }
      std::move(done)(std::move(orphans));
    });
  }

  bool exclusive() const override { return true; }

  void CountOpen(absl::Time overdue_before,
                 absl::AnyInvocable<void(absl::StatusOr<OpenSessions>) &&> done) override {
    EnqueueRead<OpenSessions>(
        [overdue_before](const FakeDisk& disk) -> absl::StatusOr<OpenSessions> {
          OpenSessions open;
          for (const auto& [key, record] : disk.sessions) {
            if (!record.open) continue;
            ++open.count;
            if (record.created_at < overdue_before) ++open.overdue;
            open.oldest = std::min(open.oldest, record.created_at);
          }
          return open;
        },
        std::move(done));
  }

  void ReadEvents(
      int64_t after, int limit,
      absl::AnyInvocable<void(absl::StatusOr<std::vector<StoredEvent>>) &&> done) override {
    EnqueueRead<std::vector<StoredEvent>>(
        [after, limit](const FakeDisk& disk) -> absl::StatusOr<std::vector<StoredEvent>> {
          std::vector<StoredEvent> events;
          size_t bytes = 0;
          for (const StoredEvent& event : disk.events) {
            if (event.position <= after) continue;
            if (static_cast<int>(events.size()) >= limit || bytes >= kPageBytes) break;
            bytes += event.payload.size();
            events.push_back(event);
          }
          return events;
        },
        std::move(done));
  }

  void FindPosition(absl::Time time,
                    absl::AnyInvocable<void(absl::StatusOr<int64_t>) &&> done) override {
    EnqueueRead<int64_t>(
        [time](const FakeDisk& disk) -> absl::StatusOr<int64_t> {
          for (const StoredEvent& event : disk.events) {
            if (event.recorded_at >= time) return event.position - 1;
          }
          return disk.latest;
        },
        std::move(done));
  }

  LogBounds bounds() const override {
    MutexLock lock(&mutex_);
    return BoundsNow();
  }
  void BeginEpoch(NewEpoch epoch,
                  absl::AnyInvocable<void(absl::StatusOr<LogBounds>) &&> done) override {
    Enqueue([this, epoch, done = std::move(done)](absl::Status admitted) mutable {
      if (!admitted.ok()) return std::move(done)(admitted);
      const LogBounds begun = Begin(epoch);
      listener_.Run(begun.latest);
      std::move(done)(begun);
    });
  }
  void RefreshBounds(absl::AnyInvocable<void(absl::StatusOr<LogBounds>) &&> done) override {
    Enqueue([this, done = std::move(done)](absl::Status admitted) mutable {
      if (!admitted.ok()) return std::move(done)(admitted);
      std::move(done)(bounds());
    });
  }
  const std::string& log_id() const override { return log_id_; }
  void SetListener(std::function<void(int64_t latest)> listener) override {
    listener_.Set(std::move(listener));
  }
  absl::Status health() const override {
    MutexLock lock(&mutex_);
    return commit_failures_ > 0 ? commit_failure_ : absl::OkStatus();
  }

 private:
  using Work = absl::AnyInvocable<void(absl::Status admitted) &&>;

  void SetHeld(bool held) {
    {
      MutexLock lock(&mutex_);
      held_ = held;
    }
    changed_.SignalAll();
  }

  void Enqueue(Work work) {
    {
      MutexLock lock(&mutex_);
      if (queue_.size() >= max_queue_) {
        // Not inside the call that took it: refused calls have a place of their own.
        work = [work = std::move(work)](absl::Status) mutable {
          std::move(work)(absl::ResourceExhaustedError("the store's queue is full"));
        };
        refused_.push_back(std::move(work));
      } else {
        queue_.push_back(std::move(work));
      }
    }
    changed_.SignalAll();
  }

  template <typename T>
  void EnqueueRead(absl::AnyInvocable<absl::StatusOr<T>(const FakeDisk&)> read,
                   absl::AnyInvocable<void(absl::StatusOr<T>) &&> done) {
    Enqueue([this, read = std::move(read), done = std::move(done)](absl::Status admitted) mutable {
      if (!admitted.ok()) return std::move(done)(admitted);
      std::move(done)(ReadNow<T>(read));
    });
  }

  template <typename T, typename F>
  absl::StatusOr<T> ReadNow(F& read) {
    MutexLock lock(&mutex_);
    if (read_failures_ == 0) return read(*disk_);
    --read_failures_;
    return read_failure_;
  }

  static absl::Time KeptTime(absl::Time time) {
    return absl::FromUnixNanos(absl::ToUnixNanos(time));
  }

  absl::StatusOr<Committed> ApplyAsTold(const Transaction& transaction) {
    absl::Status lost;
    bool twice = false;
    {
      MutexLock lock(&mutex_);
      lost = std::exchange(lost_answer_, absl::OkStatus());
      twice = std::exchange(twice_, false);
    }
    absl::StatusOr<Committed> committed = Apply(transaction);
    if (twice) committed = Apply(transaction);
    if (!lost.ok()) return lost;
    return committed;
  }

  absl::StatusOr<Committed> Apply(const Transaction& transaction) {
    Snapshot snapshot;
    {
      MutexLock lock(&mutex_);
      if (commit_failures_ > 0) {
        --commit_failures_;
        return commit_failure_;
      }
      snapshot.already_seen = disk_->seen.count(KeptDedupKey(transaction.dedup_key)) > 0;
      const auto found = disk_->sessions.find({transaction.merchant_id, transaction.session_id});
      if (found != disk_->sessions.end()) snapshot.session = found->second;
      const auto intent = disk_->intents.find({transaction.merchant_id, transaction.request_id});
      if (intent != disk_->intents.end()) snapshot.intent = intent->second;
      if (transaction.ask_created) {
        const auto made = disk_->requests.find({transaction.merchant_id, transaction.request_id});
        if (made != disk_->requests.end()) {
          snapshot.created = disk_->sessions.at({transaction.merchant_id, made->second});
        }
      }
      for (const auto& [key, open] : disk_->intents) {
        if (!transaction.ask_creating || key.first != transaction.merchant_id) continue;
        const bool under_way =
            open.state == IntentState::kUnderWay || open.state == IntentState::kUnknown;
        if (under_way && open.settle_by > clock_->Now() && open.rpc == "CreateSession") {
          snapshot.creating = true;
        }
      }
    }
    Writes writes = transaction.decide(snapshot);
    if (absl::Status kept = CheckKeepable(transaction, writes); !kept.ok()) return kept;

    MutexLock lock(&mutex_);
    Committed committed;
    committed.already_seen = snapshot.already_seen;
    committed.decided = std::move(writes.decided);
    committed.session = writes.session ? writes.session : snapshot.session;
    if (writes.session) {
      const SessionRecord& record = *writes.session;
      if (!record.request_id.empty()) {
        const auto [owner, made] = disk_->requests.emplace(
            std::make_pair(record.merchant_id, record.request_id), record.session.session_id());
        if (!made && owner->second != record.session.session_id()) {
          return absl::AlreadyExistsError("another session was made under this request_id");
        }
      }
      SessionRecord& kept = disk_->sessions[{record.merchant_id, record.session.session_id()}];
      if (kept.request_id != record.request_id) {
        disk_->requests.erase({record.merchant_id, kept.request_id});
      }
      kept = record;
      for (absl::Time* time : {&kept.created_at, &kept.updated_at}) *time = KeptTime(*time);
      if (kept.next_check_at != absl::InfiniteFuture()) {
        kept.next_check_at = KeptTime(kept.next_check_at);
      }
    }
    committed.intent = writes.intent ? writes.intent : snapshot.intent;
    if (writes.intent) {
      IntentRecord& kept = disk_->intents[{writes.intent->merchant_id, writes.intent->request_id}];
      const int64_t id = kept.id == 0 ? ++disk_->last_intent : kept.id;
      kept = *writes.intent;
      for (absl::Time* time :
           {&kept.created_at, &kept.updated_at, &kept.under_way_until, &kept.settle_by}) {
        *time = KeptTime(*time);
      }
      committed.intent->id = kept.id = id;
    }
    if (!transaction.dedup_key.empty()) disk_->seen.insert(KeptDedupKey(transaction.dedup_key));
    disk_->last_recorded_at = std::max(disk_->last_recorded_at, clock_->Now());
    for (NewEvent& event : writes.events) {
      committed.positions.push_back(++disk_->latest);
      disk_->events.push_back(
          MakeRow(std::move(event.event), disk_->latest, disk_->last_recorded_at));
    }
    ++commits_;
    return committed;
  }

  LogBounds BoundsNow() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const int64_t latest = disk_->latest;
    return {.oldest = disk_->events.empty() ? latest + 1 : disk_->events.front().position,
            .latest = latest,
            .epochs = disk_->epochs,
            .creates_held_until = disk_->creates_held_until};
  }

  LogBounds Begin(const NewEpoch& epoch) {
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
    return BoundsNow();
  }

  absl::StatusOr<std::vector<SessionRecord>> Take(const Lease& lease) {
    MutexLock lock(&mutex_);
    if (commit_failures_ > 0) {
      --commit_failures_;
      return commit_failure_;
    }
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

  bool RunOne() {
    Work work;
    {
      MutexLock lock(&mutex_);
      std::deque<Work>& from = refused_.empty() ? queue_ : refused_;
      if (from.empty() || (held_ && &from == &queue_)) return false;
      work = std::move(from.front());
      from.pop_front();
    }
    std::move(work)(absl::OkStatus());
    return true;
  }

  void Loop() {
    while (true) {
      {
        MutexLock lock(&mutex_);
        while (!stopping_ && refused_.empty() && (held_ || queue_.empty())) changed_.Wait(&mutex_);
        if (stopping_ && refused_.empty()) return;
      }
      RunOne();
    }
  }

  static constexpr size_t kPageBytes = 1 << 20;

  Clock* const clock_;
  const size_t max_queue_;
  const std::string log_id_;
  ListenerSlot listener_;
  mutable Mutex mutex_;
  CondVar changed_;
  const std::shared_ptr<FakeDisk> disk_;  // what it points to: guarded by mutex_
  std::deque<Work> queue_ ABSL_GUARDED_BY(mutex_);
  std::deque<Work> refused_ ABSL_GUARDED_BY(mutex_);
  bool held_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status commit_failure_ ABSL_GUARDED_BY(mutex_);
  int commit_failures_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status lost_answer_ ABSL_GUARDED_BY(mutex_);
  bool twice_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status read_failure_ ABSL_GUARDED_BY(mutex_);
  int read_failures_ ABSL_GUARDED_BY(mutex_) = 0;
  int commits_ ABSL_GUARDED_BY(mutex_) = 0;
  std::thread thread_;
};

}  // namespace ipp::store
