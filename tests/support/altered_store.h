#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/mutex.h"
#include "server/store/store.h"

namespace ipp::store {

// Another store, with what a replica among others meets: bounds and news that lag behind the log,
// reads that take their time; and with lies, to see what becomes of them. Thread-safe.
class AlteredStore : public Store {
 public:
  explicit AlteredStore(Store* store) : store_(store) {}

  // ---- For tests. ----

  // bounds() stays as it is until somebody asks the log itself.
  void HoldBounds() {
    const LogBounds now = store_->bounds();
    MutexLock lock(&mutex_);
    held_bounds_ = now;
  }
  // RefreshBounds fails, until it is given OK.
  void FailRefresh(absl::Status status) {
    MutexLock lock(&mutex_);
    refresh_failure_ = std::move(status);
  }
  // How often the log itself was asked.
  int refreshes() const {
    MutexLock lock(&mutex_);
    return refreshes_;
  }
  // The listener does not run until Tell().
  void HoldNews() {
    MutexLock lock(&mutex_);
    news_held_ = true;
  }
  void Tell() {
    {
      MutexLock lock(&mutex_);
      news_held_ = false;
    }
    RunListener(store_->bounds().latest);
  }
  // Reads of events wait until ReleaseReads().
  void HoldReads() {
    MutexLock lock(&mutex_);
    reads_held_ = true;
  }
  // What waits still waits, until ReleaseReads(); further reads do not.
  void HoldNoMoreReads() {
    MutexLock lock(&mutex_);
    reads_held_ = false;
  }
  void ReleaseReads() {
    std::vector<absl::AnyInvocable<void() &&>> reads;
    {
      MutexLock lock(&mutex_);
      reads_held_ = false;
      reads.swap(waiting_);
    }
    for (auto& read : reads) std::move(read)();
  }
  size_t waiting_reads() const {
    MutexLock lock(&mutex_);
    return waiting_.size();
  }
  // What reads of events show instead: called with what was asked for and what is there, on the
  // store's thread. nullptr: the truth.
  using Lie = std::function<void(int64_t after, std::vector<StoredEvent>* rows)>;
  void Lies(Lie lie) {
    MutexLock lock(&mutex_);
    lie_ = std::move(lie);
  }

  // ---- Store. ----

  void Commit(Transaction transaction, Done<Committed> done) override {
    store_->Commit(std::move(transaction), std::move(done));
  }
  void FindSession(std::string merchant_id, std::string session_id,
                   Done<SessionRecord> done) override {
    store_->FindSession(std::move(merchant_id), std::move(session_id), std::move(done));
  }
  void FindSessionByRequest(std::string merchant_id, std::string request_id,
                            Done<SessionRecord> done) override {
    store_->FindSessionByRequest(std::move(merchant_id), std::move(request_id), std::move(done));
  }
  void LeaseDue(Lease lease, Done<std::vector<SessionRecord>> done) override {
    store_->LeaseDue(std::move(lease), std::move(done));
  }
  void FindIntent(std::string merchant_id, std::string request_id,
                  Done<IntentRecord> done) override {
    store_->FindIntent(std::move(merchant_id), std::move(request_id), std::move(done));
  }
  void ListIntents(IntentQuery query, Done<std::vector<IntentRecord>> done) override {
    store_->ListIntents(std::move(query), std::move(done));
  }
  void AreSettled(std::vector<IntentKey> creates, Done<std::vector<bool>> done) override {
    store_->AreSettled(std::move(creates), std::move(done));
  }
  void CountIntents(Done<IntentCounts> done) override { store_->CountIntents(std::move(done)); }
  void OrphanIntents(Orphans which, Done<std::vector<IntentRecord>> done) override {
    store_->OrphanIntents(which, std::move(done));
  }
  bool exclusive() const override { return store_->exclusive(); }
  void SearchSessions(SessionQuery query, Done<SessionPage> done) override {
    store_->SearchSessions(std::move(query), std::move(done));
  }
  void ListCancels(std::string merchant_id, std::string session_id, int limit,
                   Done<std::vector<AskedCancel>> done) override {
    store_->ListCancels(std::move(merchant_id), std::move(session_id), limit, std::move(done));
  }
  void ReadSessionEvents(std::string merchant_id, std::string session_id, int64_t after, int limit,
                         Done<std::vector<StoredEvent>> done) override {
    store_->ReadSessionEvents(std::move(merchant_id), std::move(session_id), after, limit,
                              std::move(done));
  }
  void CountOpen(absl::Time overdue_before, Done<OpenSessions> done) override {
    store_->CountOpen(overdue_before, std::move(done));
  }
  void ReadEvents(int64_t after, int limit, Done<std::vector<StoredEvent>> done) override {
    auto read = [this, after, limit, done = std::move(done)]() mutable {
      store_->ReadEvents(after, limit,
                         [this, after, done = std::move(done)](
                             absl::StatusOr<std::vector<StoredEvent>> rows) mutable {
                           Lie lie;
                           {
                             MutexLock lock(&mutex_);
                             lie = lie_;
                           }
                           if (lie && rows.ok()) lie(after, &*rows);
                           std::move(done)(std::move(rows));
                         });
    };
    {
      MutexLock lock(&mutex_);
      if (reads_held_) {
        waiting_.push_back(std::move(read));
        return;
      }
    }
    std::move(read)();
  }
  void FindPosition(absl::Time time, Done<int64_t> done) override {
    store_->FindPosition(time, std::move(done));
  }
  void ChangeShared(SharedChange change, Done<std::any> done) override {
    store_->ChangeShared(std::move(change), std::move(done));
  }
  void ReadShared(SharedRead read, Done<std::any> done) override {
    store_->ReadShared(std::move(read), std::move(done));
  }
  absl::Time Now() const override { return store_->Now(); }
  LogBounds bounds() const override {
    MutexLock lock(&mutex_);
    return held_bounds_ ? *held_bounds_ : store_->bounds();
  }
  void RefreshBounds(Done<LogBounds> done) override {
    store_->RefreshBounds([this, done = std::move(done)](absl::StatusOr<LogBounds> bounds) mutable {
      {
        MutexLock lock(&mutex_);
        ++refreshes_;
        if (!refresh_failure_.ok()) bounds = refresh_failure_;
        if (held_bounds_ && bounds.ok()) held_bounds_ = *bounds;
      }
      std::move(done)(std::move(bounds));
    });
  }
  void BeginEpoch(NewEpoch epoch, Done<LogBounds> done) override {
    store_->BeginEpoch(epoch, std::move(done));
  }
  const std::string& log_id() const override { return store_->log_id(); }
  void SetListener(Listener listener) override {
    const bool set = listener != nullptr;
    {
      MutexLock lock(&listener_mutex_);
      listener_ = std::move(listener);
    }
    if (!set) return store_->SetListener(nullptr);
    // Without the rows: what this store alters is what is read.
    store_->SetListener([this](int64_t latest, const std::vector<StoredEvent>&) {
      {
        MutexLock lock(&mutex_);
        if (news_held_) return;
      }
      RunListener(latest);
    });
  }
  absl::Status health() const override { return store_->health(); }

 private:
  void RunListener(int64_t latest) {
    MutexLock lock(&listener_mutex_);
    if (listener_) listener_(latest, {});
  }

  Store* const store_;
  mutable Mutex mutex_;
  std::optional<LogBounds> held_bounds_ ABSL_GUARDED_BY(mutex_);
  absl::Status refresh_failure_ ABSL_GUARDED_BY(mutex_);
  int refreshes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool news_held_ ABSL_GUARDED_BY(mutex_) = false;
  bool reads_held_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<absl::AnyInvocable<void() &&>> waiting_ ABSL_GUARDED_BY(mutex_);
  Lie lie_ ABSL_GUARDED_BY(mutex_);
  Mutex listener_mutex_;
  Listener listener_ ABSL_GUARDED_BY(listener_mutex_);
};

}  // namespace ipp::store
