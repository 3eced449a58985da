#include "server/store/postgres/shared_tables.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/store/postgres/rows.h"
#include "server/store/postgres/shared_rows.h"

namespace ipp::store {
namespace {

// The arguments of a statement on one subscription end with its id where they begin with arrays.
constexpr char kPutHeads[] =
    " SELECT $17::bigint, * FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::boolean[], "
    "$5::bigint[], $6::bigint[], $7::bigint[], $8::boolean[], $9::bigint[], $10::bigint[], "
    "$11::bigint[], $12::bigint[], $13::bytea[], $14::bytea[], $15::bytea[], $16::bigint[]) "
    "ON CONFLICT (subscription, merchant_id, session_id) DO UPDATE SET "
    "position = excluded.position, redriven = excluded.redriven, "
    "settled_through = excluded.settled_through, attempts = excluded.attempts, "
    "lease = excluded.lease, out = excluded.out, leased_until = excluded.leased_until, "
    "due_at = excluded.due_at, first_at = excluded.first_at, "
    "recorded_at = excluded.recorded_at, consumer = excluded.consumer, "
    "last_error = excluded.last_error, settled = excluded.settled, "
    "settled_at = excluded.settled_at";
constexpr char kPutParked[] =
    " SELECT $13::bigint, * FROM unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::bytea[], "
    "$5::bytea[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bytea[], $10::bytea[], "
    "$11::boolean[], $12::bytea[]) ON CONFLICT (subscription, position) DO UPDATE SET "
    "attempts = excluded.attempts, first_at = excluded.first_at, "
    "parked_at = excluded.parked_at, reason = excluded.reason, consumer = excluded.consumer, "
    "redriving = excluded.redriving";
// $1, $2: sessions; $3: after; $4: until; $5: how many of each.
constexpr char kEventsOf[] =
    "SELECT e.* FROM unnest($1::bytea[], $2::bytea[], $3::bigint[]) WITH ORDINALITY AS k "
    "(merchant, session, after, place) CROSS JOIN LATERAL (SELECT position, recorded_at, "
    "merchant_id, session_id, device_id, type, merchant_reference1 FROM ipp_gateway.events WHERE "
    "merchant_id = k.merchant AND session_id = k.session AND position > k.after AND position <= "
    "$4::bigint ORDER BY position LIMIT $5::bigint) AS e ORDER BY k.place, e.position";
// As Store::ReadEvents: a page ends with the row that takes it over $3 bytes.
constexpr char kEventsAfter[] =
    " FROM (SELECT *, sum(octet_length(payload)) OVER (ORDER BY position ROWS BETWEEN UNBOUNDED "
    "PRECEDING AND CURRENT ROW) - octet_length(payload) AS bytes_before FROM (SELECT * FROM "
    "ipp_gateway.events WHERE position > $1::bigint ORDER BY position LIMIT $2::bigint) AS page) "
    "AS counted WHERE bytes_before < $3::bigint ORDER BY position";

constexpr int64_t kPageBytes = 1 << 20;

StoredEvent ReadEventHead(const PostgresRows& rows, int row) {
  StoredEvent event;
  event.position = rows.Int(row, 0);
  event.recorded_at = FromPostgresNanos(rows.Int(row, 1));
  event.merchant_id = rows.String(row, 2);
  event.session_id = rows.String(row, 3);
  event.device_id = rows.String(row, 4);
  event.type = static_cast<kustom::ipp::v1::SessionEventType>(rows.Int(row, 5));
  event.merchant_reference1 = rows.String(row, 6);
  return event;
}

std::vector<StoredEvent> ReadEvents(const PostgresRows& rows) {
  std::vector<StoredEvent> events;
  for (int i = 0; i < rows.size(); ++i) events.push_back(ReadEvent(rows, i));
  return events;
}

PostgresArguments Positions(const std::vector<int64_t>& positions) {
  PostgresArray array(PostgresType::kBigint);
  for (const int64_t position : positions) array.AddInt(position);
  return std::move(PostgresArguments().Array(array));
}

std::string Select(const char* columns, const char* rest) {
  return absl::StrCat("SELECT ", columns, rest);
}

}  // namespace

std::vector<PostgresStatement> PostgresSharedStatements() {
  const std::string parked =
      Select(kPostgresSharedParkedColumns, " FROM ipp_gateway.shared_parked WHERE subscription = ");
  return {
      {"shared_list", Select(kPostgresSharedRecordColumns, kPostgresSharedOfCaller)},
      {"shared_insert",
       absl::StrCat("INSERT INTO ipp_gateway.shared_subscriptions (", kPostgresSharedRecordColumns,
                    ") VALUES ($1::bigint, $2::bytea, $3::bytea, $4::bytea, $5::bigint, "
                    "$6::bigint, $7::bigint, $8::bigint)")},
      {"shared_lock",
       Select(kPostgresSharedRecordColumns,
              " FROM ipp_gateway.shared_subscriptions WHERE id = $1::bigint FOR UPDATE")},
      {"shared_range",
       "SELECT trimmed_through + 1, last_position FROM ipp_gateway.log, ipp_gateway.log_start"},
      {"shared_move",
       "UPDATE ipp_gateway.shared_subscriptions SET read_position = $1::bigint, due_floor = "
       "$2::bigint, last_used_at = $3::bigint WHERE id = $4::bigint"},
      {"shared_remove", "DELETE FROM ipp_gateway.shared_subscriptions WHERE id = $1::bigint"},
      {"shared_remove_heads",
       "DELETE FROM ipp_gateway.shared_heads WHERE subscription = $1::bigint"},
      {"shared_remove_parked",
       "DELETE FROM ipp_gateway.shared_parked WHERE subscription = $1::bigint"},
      {"shared_due", Select(kPostgresSharedHeadColumns,
                            " FROM ipp_gateway.shared_heads WHERE subscription = $1::bigint AND "
                            "position > 0 AND due_at > $2::bigint AND due_at <= $3::bigint ORDER "
                            "BY due_at LIMIT $4::bigint")},
      {"shared_heads", Select(kPostgresSharedHeadColumns, kPostgresHeadsOfSessions)},
      {"shared_heads_before",
       Select(kPostgresSharedHeadColumns,
              " FROM ipp_gateway.shared_heads WHERE subscription = $1::bigint AND position > 0 AND "
              "NOT redriven AND position < $2::bigint")},
      {"shared_put_heads", absl::StrCat("INSERT INTO ipp_gateway.shared_heads (subscription, ",
                                        kPostgresSharedHeadColumns, ")", kPutHeads)},
      {"shared_events_after", Select(kPostgresEventColumns, kEventsAfter)},
      {"shared_events_at", Select(kPostgresEventColumns,
                                  " FROM ipp_gateway.events WHERE position = ANY "
                                  "($1::bigint[]) ORDER BY position")},
      {"shared_events_of", kEventsOf},
      {"shared_parked_at",
       absl::StrCat(parked, "$2::bigint AND position = ANY ($1::bigint[]) ORDER BY position")},
      {"shared_parked_by_id",
       absl::StrCat(parked,
                    "$2::bigint AND event_id = ANY ($1::bytea[]) AND NOT redriving ORDER BY "
                    "position")},
      {"shared_parked_first",
       absl::StrCat(parked, "$1::bigint AND NOT redriving ORDER BY position LIMIT $2::bigint")},
      {"shared_redriving",
       absl::StrCat(parked,
                    "$3::bigint AND redriving AND (merchant_id, session_id) IN (SELECT * FROM "
                    "unnest($1::bytea[], $2::bytea[])) ORDER BY position")},
      {"shared_put_parked", absl::StrCat("INSERT INTO ipp_gateway.shared_parked (subscription, ",
                                         kPostgresSharedParkedColumns, ")", kPutParked)},
      {"shared_drop_parked",
       "DELETE FROM ipp_gateway.shared_parked WHERE subscription = $2::bigint AND position = ANY "
       "($1::bigint[])"},
      {"shared_trim_idle",
       "WITH gone AS (DELETE FROM ipp_gateway.shared_heads WHERE ctid = ANY (ARRAY(SELECT ctid "
       "FROM ipp_gateway.shared_heads WHERE position = 0 AND settled_at < $1::bigint ORDER BY "
       "settled_at LIMIT $2::bigint FOR UPDATE SKIP LOCKED)) RETURNING 1) SELECT count(*) FROM "
       "gone"},
  };
}

absl::StatusOr<PostgresRows> PostgresSharedTables::Ask(const char* name,
                                                       PostgresArguments arguments) {
  std::vector<PostgresCall> calls = std::exchange(writes_, {});
  calls.push_back({name, std::move(arguments)});
  IPP_ASSIGN_OR_RETURN(std::vector<PostgresRows> rows, connection_.Run(calls, limit_));
  return std::move(rows.back());
}

absl::Status PostgresSharedTables::Write(const char* name, PostgresArguments arguments) {
  wrote_ = true;
  writes_.push_back({name, std::move(arguments)});
  return absl::OkStatus();
}

void PostgresSharedTables::SetNow(const PostgresRows& clock) {
  now_ = given_now_.value_or(FromPostgresNanos(clock.Int(0, 0)));
}

absl::Status PostgresSharedTables::Begin() {
  writes_.push_back({"begin"});
  IPP_ASSIGN_OR_RETURN(const PostgresRows rows, Ask("clock", {}));
  SetNow(rows);
  return absl::OkStatus();
}

// ---- Subscriptions. ----

absl::StatusOr<std::vector<SharedRecord>> PostgresSharedTables::List(const std::string& caller) {
  IPP_ASSIGN_OR_RETURN(const PostgresRows rows,
                       Ask("shared_list", PostgresArguments().Bytes(caller)));
  return ReadSharedRecords(rows);
}

absl::Status PostgresSharedTables::Insert(const SharedRecord& record) {
  return Write("shared_insert", PostgresArguments()
                                    .Int(record.id)
                                    .Bytes(record.caller)
                                    .Bytes(record.name)
                                    .Bytes(record.spec)
                                    .Int(record.read_position)
                                    .Int(PostgresNanos(record.due_floor))
                                    .Int(PostgresNanos(record.created_at))
                                    .Int(PostgresNanos(record.last_used_at)));
}

// The clock is read after the wait for the lock.
absl::StatusOr<std::optional<SharedView>> PostgresSharedTables::Lock(int64_t id) {
  std::vector<PostgresCall> calls = std::exchange(writes_, {});
  calls.push_back({"shared_lock", PostgresArguments().Int(id)});
  calls.push_back({"clock"});
  calls.push_back({"shared_range"});
  IPP_ASSIGN_OR_RETURN(const std::vector<PostgresRows> rows, connection_.Run(calls, limit_));
  const size_t lock = calls.size() - 3;
  SetNow(rows[lock + 1]);
  if (rows[lock].size() == 0) return std::nullopt;
  if (rows[lock + 2].size() != 1) return absl::DataLossError("the log has no identity");
  return SharedView{.record = ReadSharedRecord(rows[lock], 0),
                    .now = now_,
                    .oldest = rows[lock + 2].Int(0, 0),
                    .latest = rows[lock + 2].Int(0, 1)};
}

absl::Status PostgresSharedTables::Move(const SharedRecord& record) {
  return Write("shared_move", PostgresArguments()
                                  .Int(record.read_position)
                                  .Int(PostgresNanos(record.due_floor))
                                  .Int(PostgresNanos(record.last_used_at))
                                  .Int(record.id));
}

absl::Status PostgresSharedTables::Remove(int64_t id) {
  for (const char* name : {"shared_remove", "shared_remove_heads", "shared_remove_parked"}) {
    IPP_RETURN_IF_ERROR(Write(name, PostgresArguments().Int(id)));
  }
  return absl::OkStatus();
}

// ---- Heads. ----

absl::StatusOr<std::vector<SharedHead>> PostgresSharedTables::Due(int64_t id, absl::Time after,
                                                                  absl::Time until, int limit) {
  IPP_ASSIGN_OR_RETURN(const PostgresRows rows, Ask("shared_due", PostgresArguments()
                                                                      .Int(id)
                                                                      .Int(PostgresNanos(after))
                                                                      .Int(PostgresNanos(until))
                                                                      .Int(limit)));
  return ReadSharedHeads(rows);
}

absl::StatusOr<std::vector<SharedHead>> PostgresSharedTables::Heads(
    int64_t id, const std::vector<SessionKey>& sessions) {
  if (sessions.empty()) return std::vector<SharedHead>();
  IPP_ASSIGN_OR_RETURN(const PostgresRows rows,
                       Ask("shared_heads", std::move(SessionKeyArguments(sessions).Int(id))));
  return ReadSharedHeads(rows);
}

absl::StatusOr<std::vector<SharedHead>> PostgresSharedTables::HeadsBefore(int64_t id,
                                                                          int64_t position) {
  IPP_ASSIGN_OR_RETURN(const PostgresRows rows,
                       Ask("shared_heads_before", PostgresArguments().Int(id).Int(position)));
  return ReadSharedHeads(rows);
}

absl::Status PostgresSharedTables::PutHeads(int64_t id, const std::vector<SharedHead>& heads) {
  if (heads.empty()) return absl::OkStatus();
  return Write("shared_put_heads", std::move(SharedHeadArguments(heads).Int(id)));
}

// ---- The log. ----

absl::StatusOr<std::vector<StoredEvent>> PostgresSharedTables::EventsAfter(int64_t after,
                                                                           int limit) {
  IPP_ASSIGN_OR_RETURN(
      const PostgresRows rows,
      Ask("shared_events_after", PostgresArguments().Int(after).Int(limit).Int(kPageBytes)));
  return ReadEvents(rows);
}

absl::StatusOr<std::vector<StoredEvent>> PostgresSharedTables::EventsAt(
    const std::vector<int64_t>& positions) {
  if (positions.empty()) return std::vector<StoredEvent>();
  IPP_ASSIGN_OR_RETURN(const PostgresRows rows, Ask("shared_events_at", Positions(positions)));
  return ReadEvents(rows);
}

absl::StatusOr<std::vector<StoredEvent>> PostgresSharedTables::EventsOf(
    const std::vector<SessionRange>& ranges, int64_t until, int limit) {
  if (ranges.empty()) return std::vector<StoredEvent>();
  std::vector<SessionKey> sessions;
  PostgresArray after(PostgresType::kBigint);
  for (const SessionRange& range : ranges) {
    sessions.push_back(range.session);
    after.AddInt(range.after);
  }
  PostgresArguments arguments = SessionKeyArguments(sessions);
  arguments.Array(after).Int(until).Int(limit);
  IPP_ASSIGN_OR_RETURN(const PostgresRows rows, Ask("shared_events_of", std::move(arguments)));
  std::vector<StoredEvent> events;
  for (int i = 0; i < rows.size(); ++i) events.push_back(ReadEventHead(rows, i));
  return events;
}

// ---- Parked events. ----

absl::StatusOr<std::vector<SharedParked>> PostgresSharedTables::ParkedAt(
    int64_t id, const std::vector<int64_t>& positions) {
  if (positions.empty()) return std::vector<SharedParked>();
  IPP_ASSIGN_OR_RETURN(const PostgresRows rows,
                       Ask("shared_parked_at", std::move(Positions(positions).Int(id))));
  return ReadSharedParked(rows);
}

absl::StatusOr<std::vector<SharedParked>> PostgresSharedTables::ParkedBy(
    int64_t id, const std::vector<std::string>& event_ids, int limit) {
  if (event_ids.empty()) {
    IPP_ASSIGN_OR_RETURN(const PostgresRows rows,
                         Ask("shared_parked_first", PostgresArguments().Int(id).Int(limit)));
    return ReadSharedParked(rows);
  }
  PostgresArray ids(PostgresType::kBytea);
  for (const std::string& event_id : event_ids) ids.AddBytes(event_id);
  IPP_ASSIGN_OR_RETURN(const PostgresRows rows,
                       Ask("shared_parked_by_id", PostgresArguments().Array(ids).Int(id)));
  return ReadSharedParked(rows);
}

absl::StatusOr<std::vector<SharedParked>> PostgresSharedTables::Redriving(
    int64_t id, const std::vector<SessionKey>& sessions) {
  if (sessions.empty()) return std::vector<SharedParked>();
  IPP_ASSIGN_OR_RETURN(const PostgresRows rows,
                       Ask("shared_redriving", std::move(SessionKeyArguments(sessions).Int(id))));
  return ReadSharedParked(rows);
}

absl::Status PostgresSharedTables::PutParked(int64_t id, const std::vector<SharedParked>& parked) {
  if (parked.empty()) return absl::OkStatus();
  return Write("shared_put_parked", std::move(SharedParkedArguments(parked).Int(id)));
}

absl::Status PostgresSharedTables::RemoveParked(int64_t id, const std::vector<int64_t>& positions) {
  if (positions.empty()) return absl::OkStatus();
  return Write("shared_drop_parked", std::move(Positions(positions).Int(id)));
}

}  // namespace ipp::store
