#pragma once

#include <any>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/store/stored_event.h"

// The rows of shared subscriptions, as the databases keep them. What they mean, and every decision
// about them, is in server/shared/.
//
// Tables
//
// * shared_subscriptions: one row each, with the position up to which it has looked at the log. Who
//   changes anything of a subscription holds the lock of this row.
// * shared_heads: at most one row for each session: the event that is out or held. The session's
//   later events have no rows; they are found in the log, between this event and the read position,
//   by the index events_by_session. A row without an event only remembers the leases under which
//   the session's last events were settled; it is removed an hour later.
// * shared_parked: events that were given up, with their payloads, so that retention does not take
//   them.
namespace ipp::store {

struct SharedRecord {
  int64_t id = 0;  // random, greater than 0: a subscription that is made anew has another one
  std::string caller;
  std::string name;
  std::string spec;           // a serialized kustom.ipp.v1.SharedSubscription
  int64_t read_position = 0;  // every event up to here has been looked at
  // No session of the subscription is due before this time. A search for due sessions begins here,
  // so that it does not pass over the remains of rows that a long transaction of another program
  // keeps PostgreSQL from removing.
  absl::Time due_floor = absl::UnixEpoch();
  absl::Time created_at;
  absl::Time last_used_at;
};

// A session of a subscription.
struct SharedHead {
  std::string merchant_id;
  std::string session_id;
  int64_t position = 0;         // of the event that is out or held; 0: none
  bool redriven = false;        // the event is taken from shared_parked, not from the log
  int64_t settled_through = 0;  // events of the session up to here are settled or parked
  int32_t attempts = 0;         // leases given for the event, without those released
  uint64_t lease = 0;           // the newest one, random; 0: none was given for this event
  bool out = false;             // the lease was not given up; it may have expired
  absl::Time leased_until = absl::UnixEpoch();
  absl::Time due_at = absl::UnixEpoch();    // when it may be leased (again)
  absl::Time first_at = absl::UnixEpoch();  // when it was first leased
  absl::Time recorded_at = absl::UnixEpoch();
  std::string consumer;           // who had it last
  std::string last_error;         // why the last attempt failed
  std::vector<uint64_t> settled;  // leases of the session that were settled, the newest last
  absl::Time settled_at = absl::UnixEpoch();
};

// An event that was given up.
struct SharedParked {
  StoredEvent event;     // whole, except for device_id, type and merchant_reference1
  std::string event_id;  // as in the payload
  int32_t attempts = 0;
  absl::Time first_at;
  absl::Time parked_at;
  std::string reason;
  std::string consumer;
  bool redriving = false;  // to be delivered once more; it is not parked then
};

// What of a session's events comes after a position.
struct SessionRange {
  SessionKey session;
  int64_t after = 0;
};

// A locked subscription and what must be known with it.
struct SharedView {
  SharedRecord record;
  absl::Time now;      // by the store's clock
  int64_t oldest = 1;  // the first position that the log keeps
  int64_t latest = 0;  // its last position; may be older than `record`
};

// The rows within one transaction of the database; for the store's writer thread. What was written
// is seen by the reads that follow. An error is one of the database, and ends the transaction.
class SharedTables {
 public:
  virtual ~SharedTables() = default;

  virtual absl::Time now() const = 0;
  // All of `caller`.
  virtual absl::StatusOr<std::vector<SharedRecord>> List(const std::string& caller) = 0;
  virtual absl::Status Insert(const SharedRecord& record) = 0;
  // nullopt: there is none. Locked until the transaction ends.
  virtual absl::StatusOr<std::optional<SharedView>> Lock(int64_t id) = 0;
  // Writes read_position, due_floor and last_used_at.
  virtual absl::Status Move(const SharedRecord& record) = 0;
  // With its heads and its parked events.
  virtual absl::Status Remove(int64_t id) = 0;

  // Sessions with an event whose due_at lies in (after, until], the longest due first.
  virtual absl::StatusOr<std::vector<SharedHead>> Due(int64_t id, absl::Time after,
                                                      absl::Time until, int limit) = 0;
  // Those of `sessions` that have a row.
  virtual absl::StatusOr<std::vector<SharedHead>> Heads(
      int64_t id, const std::vector<SessionKey>& sessions) = 0;
  // Sessions whose event, taken from the log, lies before `position`.
  virtual absl::StatusOr<std::vector<SharedHead>> HeadsBefore(int64_t id, int64_t position) = 0;
  virtual absl::Status PutHeads(int64_t id, const std::vector<SharedHead>& heads) = 0;

  // As Store::ReadEvents.
  virtual absl::StatusOr<std::vector<StoredEvent>> EventsAfter(int64_t after, int limit) = 0;
  // Those of `positions` that the log still has.
  virtual absl::StatusOr<std::vector<StoredEvent>> EventsAt(
      const std::vector<int64_t>& positions) = 0;
  // For each range the first `limit` events up to `until`, in order, without their payloads.
  virtual absl::StatusOr<std::vector<StoredEvent>> EventsOf(const std::vector<SessionRange>& ranges,
                                                            int64_t until, int limit) = 0;

  virtual absl::StatusOr<std::vector<SharedParked>> ParkedAt(
      int64_t id, const std::vector<int64_t>& positions) = 0;
  // Those with one of the ids, or any if `event_ids` is empty, that are not being redriven.
  virtual absl::StatusOr<std::vector<SharedParked>> ParkedBy(
      int64_t id, const std::vector<std::string>& event_ids, int limit) = 0;
  // Of these sessions, those that are being redriven.
  virtual absl::StatusOr<std::vector<SharedParked>> Redriving(
      int64_t id, const std::vector<SessionKey>& sessions) = 0;
  virtual absl::Status PutParked(int64_t id, const std::vector<SharedParked>& parked) = 0;
  virtual absl::Status RemoveParked(int64_t id, const std::vector<int64_t>& positions) = 0;
};

// How far a subscription is.
struct SharedCounts {
  int64_t read_position = 0;
  int64_t out = 0;     // under a lease that has not expired
  int64_t held = 0;    // waiting, those being redriven among them
  int64_t parked = 0;  // not being redriven
  absl::Time last_used_at;
  absl::Time oldest = absl::InfiniteFuture();     // recorded_at of the oldest that is out or held
  absl::Time unread_at = absl::InfiniteFuture();  // recorded_at of the first event not looked at
  int64_t oldest_position = 0;                    // of those taken from the log; 0: none
};

// Reads beside the writer; for the store's reader thread.
class SharedReads {
 public:
  virtual ~SharedReads() = default;

  // All of `caller`, by name; nullptr: of every caller.
  virtual absl::StatusOr<std::vector<SharedRecord>> List(const std::string* caller) = 0;
  // nullopt: there is no such subscription.
  virtual absl::StatusOr<std::optional<SharedCounts>> Count(int64_t id, absl::Time now) = 0;
  // Parked events after a position, in order.
  virtual absl::StatusOr<std::vector<SharedParked>> ListParked(int64_t id, int64_t after,
                                                               int limit) = 0;
  virtual absl::StatusOr<std::vector<SharedHead>> Heads(
      int64_t id, const std::vector<SessionKey>& sessions) = 0;
};

// A change of one subscription. Runs on the store's writer thread, possibly more than once (a
// transaction that failed is tried again), so it must be quick, and pure apart from the tables. Its
// result reaches the caller if it was committed.
struct SharedChange {
  // The changes of one transaction lock their rows in the order of these. 0: none is locked; the
  // change gets a transaction of its own.
  int64_t id = 0;
  std::function<absl::StatusOr<std::any>(SharedTables&)> work;
};

using SharedRead = std::function<absl::StatusOr<std::any>(SharedReads&)>;

}  // namespace ipp::store
