#pragma once

#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/base/metrics.h"
#include "server/store/retention.h"
#include "server/store/store.h"
#include "tests/support/fake_clock.h"

// What the suites over stores stand on. The contract itself is store_contract_test.cc; a store
// joins it with a bed of its own in the list there.
namespace ipp::store::contract {

// How long the stores of these tests keep things: all different, so that a test can tell them
// apart.
inline constexpr Retention kShort{.events = absl::Hours(1),
                                  .seen = absl::Hours(3),
                                  .creates = absl::Hours(3),
                                  .tombstones = absl::Hours(10)};

inline Writes Nothing(const Snapshot&) { return {}; }

// One durable place, and stores opened on it one after another.
class StoreBed {
 public:
  virtual ~StoreBed() = default;
  virtual std::unique_ptr<Store> Open(size_t max_queue) = 0;
  // Until Repair() no commit can be made.
  virtual void Break() = 0;
  virtual void Repair() = 0;

  FakeClock clock;
  Metrics metrics;
};

std::unique_ptr<StoreBed> MakeFakeBed();
std::unique_ptr<StoreBed> MakeSqliteBed();
std::unique_ptr<StoreBed> MakePostgresBed();
// The same after an update was taken back: a later release has added to every table what
// server/store/schema_version.h allows.
std::unique_ptr<StoreBed> MakeNewerSqliteBed();
std::unique_ptr<StoreBed> MakeNewerPostgresBed();

// A directory of its own for a test; removed with all that is in it.
class TempDirectory {
 public:
  TempDirectory() {
    std::string pattern = testing::TempDir() + "ipp-store-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~TempDirectory() { std::filesystem::remove_all(path_); }
  std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// A decision that waits until it is released: holds the writer where a test wants it.
class Gate {
 public:
  // A transaction that writes nothing and keeps the writer until Open().
  Transaction transaction() {
    Transaction transaction;
    transaction.decide = [this](const Snapshot&) {
      if (!entered_done_.exchange(true)) entered_.set_value();
      opened_.wait();
      return Writes{};
    };
    return transaction;
  }
  void WaitUntilEntered() { entered_.get_future().wait(); }
  void Open() { open_.set_value(); }

 private:
  std::atomic<bool> entered_done_{false};
  std::promise<void> entered_;
  std::promise<void> open_;
  std::shared_future<void> opened_ = open_.get_future().share();
};

// Waits for the answer of an asynchronous call.
template <typename T>
absl::StatusOr<T> Await(absl::FunctionRef<void(Done<T>)> call) {
  std::promise<absl::StatusOr<T>> promise;
  auto future = promise.get_future();
  call([&promise](absl::StatusOr<T> result) { promise.set_value(std::move(result)); });
  return future.get();
}

inline absl::StatusOr<Committed> Commit(Store& store, Transaction transaction) {
  return Await<Committed>(
      [&](Done<Committed> done) { store.Commit(std::move(transaction), std::move(done)); });
}

inline absl::StatusOr<SessionRecord> Find(Store& store, const std::string& session_id) {
  return Await<SessionRecord>(
      [&](Done<SessionRecord> done) { store.FindSession("PM1", session_id, std::move(done)); });
}

inline absl::StatusOr<SessionRecord> FindByRequest(Store& store, const std::string& request_id) {
  return Await<SessionRecord>([&](Done<SessionRecord> done) {
    store.FindSessionByRequest("PM1", request_id, std::move(done));
  });
}

inline absl::StatusOr<IntentRecord> FindIntent(Store& store, const std::string& request_id) {
  return Await<IntentRecord>(
      [&](Done<IntentRecord> done) { store.FindIntent("PM1", request_id, std::move(done)); });
}

inline absl::StatusOr<std::vector<StoredEvent>> Read(Store& store, int64_t after,
                                                     int limit = 10000) {
  return Await<std::vector<StoredEvent>>([&](Done<std::vector<StoredEvent>> done) {
    store.ReadEvents(after, limit, std::move(done));
  });
}

inline absl::StatusOr<std::vector<SessionRecord>> LeaseDue(Store& store, Lease lease) {
  return Await<std::vector<SessionRecord>>([&](Done<std::vector<SessionRecord>> done) {
    store.LeaseDue(std::move(lease), std::move(done));
  });
}

inline absl::StatusOr<OpenSessions> Open(Store& store, absl::Time overdue_before) {
  return Await<OpenSessions>(
      [&](Done<OpenSessions> done) { store.CountOpen(overdue_before, std::move(done)); });
}

inline absl::StatusOr<int64_t> PositionAt(Store& store, absl::Time time) {
  return Await<int64_t>([&](Done<int64_t> done) { store.FindPosition(time, std::move(done)); });
}

inline NewEvent Event(const std::string& id, const std::string& session_id = "s1") {
  NewEvent event;
  event.event.set_event_id(id);
  event.event.set_type(kustom::ipp::v1::SESSION_EVENT_TYPE_ACTIVATED);
  event.event.set_merchant_id("PM1");
  event.event.set_session_id(session_id);
  event.event.mutable_session()->set_device_id("d1");
  event.event.mutable_session()->set_merchant_reference1("ref1");
  return event;
}

inline SessionRecord Record(const std::string& session_id, const std::string& request_id = "") {
  SessionRecord record;
  record.merchant_id = "PM1";
  record.session.set_session_id(session_id);
  record.session.set_status(kustom::ipp::v1::SESSION_STATUS_CREATED);
  record.request_id = request_id;
  return record;
}

// Appends one event of that id.
inline Transaction Append(const std::string& id, const std::string& dedup_key = "") {
  Transaction transaction;
  transaction.dedup_key = dedup_key;
  transaction.decide = [id](const Snapshot& snapshot) {
    Writes writes;
    if (!snapshot.already_seen) writes.events.push_back(Event(id));
    return writes;
  };
  return transaction;
}

inline Transaction Put(SessionRecord record) {
  Transaction transaction;
  transaction.merchant_id = record.merchant_id;
  transaction.session_id = record.session.session_id();
  transaction.decide = [record = std::move(record)](const Snapshot&) { return Writes{record, {}}; };
  return transaction;
}

// Counts, in `checks`, how often it was applied to the session; reads what it writes.
inline Transaction Count(const std::string& session_id) {
  Transaction transaction;
  transaction.merchant_id = "PM1";
  transaction.session_id = session_id;
  transaction.decide = [session_id](const Snapshot& snapshot) {
    Writes writes{snapshot.session ? *snapshot.session : Record(session_id), {}};
    ++writes.session->checks;
    writes.events.push_back(
        Event(absl::StrCat(session_id, "#", writes.session->checks), session_id));
    return writes;
  };
  return transaction;
}

inline std::vector<std::string> Ids(const std::vector<StoredEvent>& rows) {
  std::vector<std::string> ids;
  for (const StoredEvent& row : rows) {
    kustom::ipp::v1::SessionEvent event;
    EXPECT_TRUE(event.ParseFromString(row.payload));
    ids.push_back(event.event_id());
  }
  return ids;
}

}  // namespace ipp::store::contract
