#include "server/store/postgres/writer.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/store/postgres/epochs.h"
#include "server/store/postgres/rows.h"
#include "server/store/store_calls.h"

namespace ipp::store {
namespace {

// The most rows that one trimming step handles; it takes a few milliseconds.
constexpr int64_t kTrimStep = 500;
// "ippg" in ASCII; see postgres/schema.cc.
constexpr int64_t kTrimLock = 0x69707067'00000002;

constexpr char kReadSessions[] =
    " FROM unnest($1::bytea[], $2::bytea[]) AS k (merchant_id, session_id) "
    "JOIN ipp_gateway.sessions s USING (merchant_id, session_id) FOR UPDATE OF s";
constexpr char kPutSessions[] =
    "INSERT INTO ipp_gateway.sessions (merchant_id, session_id, request_id, complete, open, "
    "created_at, updated_at, next_check_at, checks, session, held_event, traceparent, tracestate, "
    "trimmed, revision, missing_since) SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], "
    "$4::boolean[], $5::boolean[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], "
    "$10::bytea[], $11::bytea[], $12::bytea[], $13::bytea[], $14::boolean[], $15::bigint[], "
    "$16::bigint[]) "
    "ON CONFLICT (merchant_id, session_id) DO UPDATE SET "
    "request_id = excluded.request_id, complete = excluded.complete, open = excluded.open, "
    "created_at = excluded.created_at, updated_at = excluded.updated_at, "
    "next_check_at = excluded.next_check_at, checks = excluded.checks, session = excluded.session, "
    "held_event = excluded.held_event, traceparent = excluded.traceparent, "
    "tracestate = excluded.tracestate, trimmed = excluded.trimmed, "
    "revision = excluded.revision, missing_since = excluded.missing_since";
constexpr char kReadCreated[] =
    " FROM unnest($1::bytea[], $2::bytea[]) AS k (merchant_id, request_id) "
    "JOIN ipp_gateway.sessions s USING (merchant_id, request_id)";
constexpr char kReadIntents[] =
    " FROM unnest($1::bytea[], $2::bytea[]) AS k (merchant_id, request_id) "
    "JOIN ipp_gateway.intents i USING (merchant_id, request_id) FOR UPDATE OF i";
// The merchants of $3 that have a create which may be under way at $4 (or at the log's last
// recorded_at, if that is later) and is not one of ($1, $2).
constexpr char kReadCreating[] =
    "SELECT k.merchant_id FROM unnest($3::bytea[]) AS k (merchant_id) CROSS JOIN LATERAL ("
    "SELECT FROM ipp_gateway.intents i WHERE i.merchant_id = k.merchant_id AND i.state IN (1, 5) "
    "AND i.settle_by > greatest($4::bigint, (SELECT last_recorded_at FROM ipp_gateway.log)) "
    "AND i.rpc = 'CreateSession' AND (i.merchant_id, i.request_id) NOT IN "
    "(SELECT * FROM unnest($1::bytea[], $2::bytea[])) LIMIT 1) AS one";
constexpr char kPutIntents[] =
    "INSERT INTO ipp_gateway.intents SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], "
    "$4::bytea[], $5::bytea[], $6::bytea[], $7::bigint[], $8::bytea[], $9::bigint[], "
    "$10::bigint[], $11::bytea[], $12::bytea[], $13::bigint[], $14::bigint[], "
    "$15::bytea[], $16::bytea[], $17::boolean[]) "
    "ON CONFLICT (merchant_id, request_id) DO UPDATE SET rpc = excluded.rpc, "
    "caller = excluded.caller, request = excluded.request, state = excluded.state, "
    "owner = excluded.owner, under_way_until = excluded.under_way_until, "
    "settle_by = excluded.settle_by, answer = excluded.answer, session_id = excluded.session_id, "
    "created_at = excluded.created_at, updated_at = excluded.updated_at, "
    "traceparent = excluded.traceparent, tracestate = excluded.tracestate, "
    "trimmed = excluded.trimmed";
// ARRAY(...) so that the rows are chosen and locked once, however the update is planned.
constexpr char kOrphans[] =
    "UPDATE ipp_gateway.intents i SET state = 5, updated_at = greatest(updated_at, $1::bigint) "
    "WHERE id = ANY (ARRAY(SELECT id FROM ipp_gateway.intents WHERE state = 1 AND under_way_until "
    "< $2::bigint ORDER BY under_way_until LIMIT $3::bigint FOR UPDATE SKIP LOCKED)) RETURNING ";
constexpr char kPutOff[] =
    "UPDATE ipp_gateway.sessions s SET next_check_at = k.next_check_at, checks = k.checks "
    "FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bigint[]) "
    "AS k (merchant_id, session_id, next_check_at, checks) "
    "WHERE s.merchant_id = k.merchant_id AND s.session_id = k.session_id";
constexpr char kTrimEvents[] =
    "WITH old AS (SELECT max(position) AS through FROM (SELECT position, recorded_at FROM "
    "ipp_gateway.events WHERE position > (SELECT trimmed_through FROM ipp_gateway.log_start) ORDER "
    "BY position LIMIT $2::bigint) AS first WHERE recorded_at < $1::bigint), "
    "gone AS (DELETE FROM ipp_gateway.events WHERE position > (SELECT trimmed_through FROM "
    "ipp_gateway.log_start) AND position <= (SELECT through FROM old) RETURNING 1), "
    "moved AS (UPDATE ipp_gateway.log_start SET trimmed_through = old.through FROM old WHERE "
    "old.through IS NOT NULL) "
    "SELECT count(*) FROM gone";
// $1: the cutoff; $2: the most rows.
constexpr char kOldSessions[] =
    " FROM ipp_gateway.sessions s WHERE NOT open AND NOT trimmed AND updated_at < $1::bigint ORDER "
    "BY updated_at LIMIT $2::bigint FOR UPDATE SKIP LOCKED";
constexpr char kOldIntents[] =
    " FROM ipp_gateway.intents i WHERE NOT trimmed AND updated_at < $1::bigint ORDER BY updated_at "
    "LIMIT $2::bigint FOR UPDATE SKIP LOCKED";
constexpr char kTrimSessions[] =
    "WITH gone AS (DELETE FROM ipp_gateway.sessions WHERE ctid = ANY (ARRAY(SELECT ctid FROM "
    "ipp_gateway.sessions WHERE NOT open AND trimmed AND updated_at < $1::bigint ORDER BY "
    "updated_at LIMIT $2::bigint FOR UPDATE SKIP LOCKED)) RETURNING 1) SELECT count(*) FROM gone";
constexpr char kTrimSeen[] =
    "WITH gone AS (DELETE FROM ipp_gateway.seen WHERE ctid = ANY (ARRAY(SELECT ctid FROM "
    "ipp_gateway.seen WHERE seen_at < $1::bigint ORDER BY seen_at LIMIT $2::bigint)) RETURNING 1) "
    "SELECT count(*) FROM gone";
constexpr char kTrimIntents[] =
    "WITH gone AS (DELETE FROM ipp_gateway.intents WHERE ctid = ANY (ARRAY(SELECT ctid FROM "
    "ipp_gateway.intents WHERE trimmed AND updated_at < $1::bigint ORDER BY updated_at LIMIT "
    "$2::bigint FOR UPDATE SKIP LOCKED)) RETURNING 1) SELECT count(*) FROM gone";

PostgresArray Column(const std::set<std::string>& values) {
  PostgresArray column(PostgresType::kBytea);
  for (const std::string& value : values) column.AddBytes(value);
  return column;
}

PostgresArguments Columns(const std::set<std::pair<std::string, std::string>>& pairs) {
  PostgresArray first(PostgresType::kBytea), second(PostgresType::kBytea);
  for (const auto& [a, b] : pairs) {
    first.AddBytes(a);
    second.AddBytes(b);
  }
  return std::move(PostgresArguments().Array(first).Array(second));
}

// Turns old records into tombstones and returns them as rows to write.
PostgresArguments Tombstones(std::vector<SessionRecord>* records) {
  std::vector<const SessionRecord*> left;
  for (SessionRecord& record : *records) {
    record = Tombstone(std::move(record));
    left.push_back(&record);
  }
  return SessionArguments(left);
}
PostgresArguments Tombstones(std::vector<IntentRecord>* intents) {
  std::vector<const IntentRecord*> left;
  for (IntentRecord& intent : *intents) {
    intent = Tombstone(std::move(intent));
    left.push_back(&intent);
  }
  return IntentArguments(left);
}

}  // namespace

std::vector<PostgresStatement> PostgresWriterStatements() {
  std::vector<PostgresStatement> statements = {
      {"begin", "BEGIN ISOLATION LEVEL READ COMMITTED"},
      {"commit", "COMMIT"},
      {"rollback", "ROLLBACK"},
      {"lock_log",
       "SELECT last_position, last_recorded_at, last_intent FROM ipp_gateway.log FOR UPDATE"},
      {"read_seen", "SELECT key FROM ipp_gateway.seen WHERE key = ANY ($1::bytea[])"},
      {"read_sessions", absl::StrCat("SELECT ", kPostgresSessionColumns, kReadSessions)},
      {"read_intents", absl::StrCat("SELECT ", kPostgresIntentColumns, kReadIntents)},
      {"read_creating", kReadCreating},
      {"read_created", absl::StrCat("SELECT ", kPostgresSessionColumns, kReadCreated)},
      {"clock", kPostgresReadClock},
      {"put_seen",
       "INSERT INTO ipp_gateway.seen SELECT key, $2::bigint FROM unnest($1::bytea[]) AS k (key)"},
      {"put_sessions", kPutSessions},
      {"put_intents", kPutIntents},
      {"put_events",
       "INSERT INTO ipp_gateway.events SELECT * FROM unnest($1::bigint[], $2::bigint[], "
       "$3::bytea[], $4::bytea[], $5::bytea[], $6::bigint[], $7::bytea[], $8::bytea[])"},
      {"move_log",
       "UPDATE ipp_gateway.log SET last_position = $1::bigint, last_recorded_at = $2::bigint, "
       "last_intent = $3::bigint, commits = commits + 1"},
      {"notify", "SELECT pg_notify('ipp_gateway_events', ($1::bigint)::text)"},
      {"probe", "UPDATE ipp_gateway.log SET commits = commits + 1"},
      {"due",
       absl::StrCat("SELECT ", kPostgresSessionColumns,
                    " FROM ipp_gateway.sessions s WHERE (next_check_at <= $1::bigint OR "
                    "next_check_at > $4::bigint) AND merchant_id <> ALL ($3::bytea[]) ORDER BY "
                    "next_check_at LIMIT $2::bigint FOR UPDATE SKIP LOCKED")},
      {"held", absl::StrCat("SELECT ", kPostgresSessionColumns,
                            " FROM ipp_gateway.sessions s WHERE held_event <> '' AND created_at <= "
                            "$3::bigint AND next_check_at <= $1::bigint ORDER BY created_at LIMIT "
                            "$2::bigint FOR UPDATE SKIP LOCKED")},
      {"put_off", kPutOff},
      {"orphans", absl::StrCat(kOrphans, kPostgresIntentColumns)},
      {"try_trim", "SELECT pg_try_advisory_xact_lock($1::bigint)"},
      {"trim_events", kTrimEvents},
      {"old_sessions", absl::StrCat("SELECT ", kPostgresSessionColumns, kOldSessions)},
      {"old_intents", absl::StrCat("SELECT ", kPostgresIntentColumns, kOldIntents)},
      {"trim_sessions", kTrimSessions},
      {"trim_seen", kTrimSeen},
      {"trim_intents", kTrimIntents},
  };
  for (PostgresStatement& statement : PostgresEpochStatements()) {
    statements.push_back(std::move(statement));
  }
  return statements;
}

// ---- Commits. ----

template <typename T>
absl::StatusOr<T> PostgresWriter::Attempt(
    ReconnectingConnection::InPause in_pause,
    absl::FunctionRef<absl::StatusOr<T>(PostgresConnection&)> body) {
  for (bool first = true;; first = false) {
    IPP_ASSIGN_OR_RETURN(PostgresConnection* const connection, connection_.Get(in_pause));
    finishing_ = false;
    absl::StatusOr<T> result = body(*connection);
    if (result.ok()) {
      connection_.Worked();
      return result;
    }
    // The connection was lost while it was idle, for example by a restart of the server: COMMIT was
    // not sent.
    const bool again =
        first && !finishing_ && connection->dead() && absl::IsUnavailable(result.status());
    Settle(*connection, result.status());
    if (!again) return result;
  }
}

void PostgresWriter::Settle(PostgresConnection& connection, const absl::Status& status) {
  const PostgresCall rollback[] = {{"rollback"}};
  if (IsItsOwn(status) && !connection.dead() && connection.Run(rollback, limits_.answer).ok()) {
    return;
  }
  connection_.Drop(status);
}

absl::StatusOr<BatchReads> PostgresWriter::Read(const BatchKeys& keys, absl::Time now) {
  return Attempt<BatchReads>(ReconnectingConnection::InPause::kWait,
                             [&](PostgresConnection& connection) {
                               open_ = &connection;
                               return ReadKeys(connection, keys, now);
                             });
}

absl::StatusOr<BatchReads> PostgresWriter::ReadKeys(PostgresConnection& connection,
                                                    const BatchKeys& keys, absl::Time now) {
  std::vector<PostgresCall> calls;
  calls.push_back({"begin"});
  calls.push_back({"lock_log"});
  // Returns the index of the call's rows. Without keys there is no call; index 0 is BEGIN, which
  // has no rows.
  const auto ask = [&calls](const auto& keys, const char* name, PostgresArguments arguments) {
    if (keys.empty()) return size_t{0};
    calls.push_back({name, std::move(arguments)});
    return calls.size() - 1;
  };
  const size_t seen =
      ask(keys.dedup_keys, "read_seen", PostgresArguments().Array(Column(keys.dedup_keys)));
  const size_t sessions = ask(keys.sessions, "read_sessions", Columns(keys.sessions));
  const size_t intents = ask(keys.intents, "read_intents", Columns(keys.intents));
  const size_t creating =
      ask(keys.ask_creating, "read_creating",
          Columns(keys.intents).Array(Column(keys.ask_creating)).Int(PostgresNanos(now)));
  const size_t created = ask(keys.ask_created, "read_created", Columns(keys.ask_created));
  IPP_ASSIGN_OR_RETURN(const std::vector<PostgresRows> rows, connection.Run(calls, limits_.answer));
  if (rows[1].size() != 1) return absl::DataLossError("the log has no identity");

  BatchReads reads;
  reads.last_position = rows[1].Int(0, 0);
  reads.last_recorded_at = FromPostgresNanos(rows[1].Int(0, 1));
  reads.last_intent = rows[1].Int(0, 2);
  for (int i = 0; i < rows[seen].size(); ++i) reads.seen.insert(rows[seen].String(i, 0));
  IPP_ASSIGN_OR_RETURN(std::vector<SessionRecord> found, ReadSessions(rows[sessions]));
  for (SessionRecord& record : found) {
    SessionKey key(record.merchant_id, record.session.session_id());
    reads.sessions.emplace(std::move(key), std::move(record));
  }
  for (IntentRecord& intent : ReadIntents(rows[intents])) {
    IntentKey key(intent.merchant_id, intent.request_id);
    reads.intents.emplace(std::move(key), std::move(intent));
  }
  IPP_ASSIGN_OR_RETURN(found, ReadSessions(rows[created]));
  for (SessionRecord& record : found) {
    IntentKey key(record.merchant_id, record.request_id);
    reads.created.emplace(std::move(key), std::move(record));
  }
  for (int i = 0; i < rows[creating].size(); ++i) {
    reads.creating.insert(rows[creating].String(i, 0));
  }
  return reads;
}

absl::Status PostgresWriter::Write(const BatchWrites& writes) {
  const int64_t recorded_at = PostgresNanos(writes.recorded_at);
  std::vector<PostgresCall> calls;
  if (writes.lost_after) calls.push_back(PostgresLossCall(*writes.lost_after));
  if (!writes.seen.empty()) {
    PostgresArray keys(PostgresType::kBytea);
    for (const std::string& key : writes.seen) keys.AddBytes(key);
    calls.push_back({"put_seen", PostgresArguments().Array(keys).Int(recorded_at)});
  }
  if (!writes.sessions.empty()) {
    std::vector<const SessionRecord*> records;
    for (const auto& [key, record] : writes.sessions) records.push_back(&record);
    calls.push_back({"put_sessions", SessionArguments(records)});
  }
  if (!writes.intents.empty()) {
    std::vector<const IntentRecord*> intents;
    for (const auto& [key, intent] : writes.intents) intents.push_back(&intent);
    calls.push_back({"put_intents", IntentArguments(intents)});
  }
  if (!writes.events.empty()) {
    calls.push_back({"put_events", EventArguments(writes.events)});
    calls.push_back({"notify", PostgresArguments().Int(writes.last_position)});
  }
  // Even if nothing else is written: what this batch reports of earlier ones ("already seen") must
  // be durable too, and only a commit that writes waits for the standby.
  calls.push_back(
      {"move_log",
       PostgresArguments().Int(writes.last_position).Int(recorded_at).Int(writes.last_intent)});
  absl::Status status = Finish(*open_, std::move(calls)).status();
  if (status.ok()) {
    connection_.Worked();
  } else {
    Settle(*open_, status);
  }
  return status;
}

void PostgresWriter::Abandon(const absl::Status& why) { Settle(*open_, why); }

absl::StatusOr<std::vector<PostgresRows>> PostgresWriter::Finish(PostgresConnection& connection,
                                                                 std::vector<PostgresCall> calls) {
  calls.push_back({"commit"});
  finishing_ = true;
  connection.TakeWarning();
  IPP_ASSIGN_OR_RETURN(std::vector<PostgresRows> rows, connection.Run(calls, limits_.answer));
  // If the wait for the standby is cancelled, the server reports a commit and adds this warning.
  if (const std::string warning = connection.TakeWarning(); !warning.empty()) {
    return absl::UnavailableError(absl::StrCat("a commit came with a warning: ", warning));
  }
  // The server answers the COMMIT of a failed transaction with "ROLLBACK".
  if (rows.back().command() != "COMMIT") return absl::UnavailableError("rolled back");
  return rows;
}

// ---- Leases. ----

absl::StatusOr<std::vector<SessionRecord>> PostgresWriter::LeaseDue(const Lease& lease) {
  using Due = std::vector<SessionRecord>;
  return Attempt<Due>(
      ReconnectingConnection::InPause::kWait,
      [&](PostgresConnection& connection) -> absl::StatusOr<Due> {
        PostgresArguments which;
        which.Int(PostgresNanos(lease.now)).Int(lease.limit);
        if (lease.held_since) {
          which.Int(PostgresNanos(*lease.held_since));
        } else {
          which.Array(Column({lease.without_merchants.begin(), lease.without_merchants.end()}));
          which.Int(PostgresNanos(lease.now + lease.longest));
        }
        const PostgresCall find[] = {{"begin"},
                                     {lease.held_since ? "held" : "due", std::move(which)}};
        IPP_ASSIGN_OR_RETURN(const std::vector<PostgresRows> rows,
                             connection.Run(find, limits_.answer));
        IPP_ASSIGN_OR_RETURN(Due due, ReadSessions(rows[1]));
        PostgresArray merchants(PostgresType::kBytea), sessions(PostgresType::kBytea);
        PostgresArray next_check_at(PostgresType::kBigint), checks(PostgresType::kBigint);
        for (SessionRecord& record : due) {
          record.next_check_at = FromPostgresNanos(PostgresNanos(lease.now + lease.pause(record)));
          ++record.checks;
          merchants.AddBytes(record.merchant_id);
          sessions.AddBytes(record.session.session_id());
          next_check_at.AddInt(PostgresNanos(record.next_check_at));
          checks.AddInt(record.checks);
        }
        std::vector<PostgresCall> calls;
        if (!due.empty()) {
          PostgresArguments arguments;
          arguments.Array(merchants).Array(sessions).Array(next_check_at).Array(checks);
          calls.push_back({"put_off", std::move(arguments)});
        }
        IPP_RETURN_IF_ERROR(Finish(connection, std::move(calls)).status());
        return due;
      });
}

absl::StatusOr<std::vector<IntentRecord>> PostgresWriter::OrphanIntents(const Orphans& which) {
  using Orphans = std::vector<IntentRecord>;
  return Attempt<Orphans>(ReconnectingConnection::InPause::kFail,
                          [&](PostgresConnection& connection) -> absl::StatusOr<Orphans> {
                            const PostgresCall give_up[] = {
                                {"begin"},
                                {"orphans", PostgresArguments()
                                                .Int(PostgresNanos(which.now))
                                                .Int(PostgresNanos(which.under_way_before))
                                                .Int(which.limit)}};
                            IPP_ASSIGN_OR_RETURN(const std::vector<PostgresRows> rows,
                                                 connection.Run(give_up, limits_.answer));
                            IPP_RETURN_IF_ERROR(Finish(connection, {}).status());
                            return ReadIntents(rows[1]);
                          });
}

// ---- Epochs. ----

absl::StatusOr<LogBounds> PostgresWriter::BeginEpoch(const NewEpoch& epoch) {
  return Attempt<LogBounds>(ReconnectingConnection::InPause::kWait,
                            [&](PostgresConnection& connection) -> absl::StatusOr<LogBounds> {
                              std::vector<PostgresCall> calls = PostgresEpochCalls(epoch);
                              calls.insert(calls.begin(), {{"begin"}, {"lock_log"}});
                              IPP_ASSIGN_OR_RETURN(const std::vector<PostgresRows> rows,
                                                   Finish(connection, std::move(calls)));
                              return store::ReadBounds(rows[rows.size() - 2]);
                            });
}

absl::StatusOr<LogBounds> PostgresWriter::ReadBounds() {
  return Attempt<LogBounds>(ReconnectingConnection::InPause::kFail,
                            [&](PostgresConnection& connection) -> absl::StatusOr<LogBounds> {
                              const PostgresCall calls[] = {{"bounds"}};
                              IPP_ASSIGN_OR_RETURN(const std::vector<PostgresRows> rows,
                                                   connection.Run(calls, limits_.answer));
                              return store::ReadBounds(rows[0]);
                            });
}

// ---- Maintenance: commits do not wait behind its waiting. ----

absl::StatusOr<WriteBackend::Trimmed> PostgresWriter::Trim(const Cutoffs& cutoffs, absl::Time) {
  return Attempt<Trimmed>(
      ReconnectingConnection::InPause::kFail,
      [&](PostgresConnection& connection) -> absl::StatusOr<Trimmed> {
        const auto step = [](const char* name, absl::Time cutoff) {
          return PostgresCall{name, PostgresArguments().Int(PostgresNanos(cutoff)).Int(kTrimStep)};
        };
        const PostgresCall ask[] = {{"begin"},
                                    {"try_trim", PostgresArguments().Int(kTrimLock)},
                                    step("old_sessions", cutoffs.sessions),
                                    step("old_intents", cutoffs.creates)};
        IPP_ASSIGN_OR_RETURN(const std::vector<PostgresRows> rows,
                             connection.Run(ask, limits_.answer));
        if (!rows[1].Bool(0, 0)) {
          IPP_RETURN_IF_ERROR(Finish(connection, {}).status());
          return Trimmed{};
        }
        IPP_ASSIGN_OR_RETURN(std::vector<SessionRecord> sessions, ReadSessions(rows[2]));
        std::vector<IntentRecord> intents = ReadIntents(rows[3]);
        std::vector<PostgresCall> calls = {
            step("trim_events", cutoffs.events), step("trim_sessions", cutoffs.tombstones),
            step("trim_seen", cutoffs.seen), step("trim_intents", cutoffs.tombstones)};
        const size_t counted = calls.size();
        if (!sessions.empty()) calls.push_back({"put_sessions", Tombstones(&sessions)});
        if (!intents.empty()) calls.push_back({"put_intents", Tombstones(&intents)});
        IPP_ASSIGN_OR_RETURN(const std::vector<PostgresRows> removed,
                             Finish(connection, std::move(calls)));
        const bool more =
            sessions.size() == kTrimStep || intents.size() == kTrimStep ||
            std::any_of(removed.begin(), removed.begin() + static_cast<std::ptrdiff_t>(counted),
                        [](const PostgresRows& gone) { return gone.Int(0, 0) == kTrimStep; });
        return Trimmed{.more = more};
      });
}

absl::StatusOr<std::optional<absl::Time>> PostgresWriter::ReadClock() {
  using Clock = std::optional<absl::Time>;
  if (!database_clock_) return std::nullopt;
  return Attempt<Clock>(ReconnectingConnection::InPause::kFail,
                             [&](PostgresConnection& connection) -> absl::StatusOr<Clock> {
                               const PostgresCall calls[] = {{"clock"}};
                               IPP_ASSIGN_OR_RETURN(const std::vector<PostgresRows> rows,
                                                    connection.Run(calls, limits_.answer));
                               return Clock(FromPostgresNanos(rows[0].Int(0, 0)));
                             });
}

absl::Status PostgresWriter::Probe() {
  return Attempt<bool>(ReconnectingConnection::InPause::kFail,
                       [&](PostgresConnection& connection) -> absl::StatusOr<bool> {
                         IPP_RETURN_IF_ERROR(Finish(connection, {{"begin"}, {"probe"}}).status());
                         return true;
                       })
      .status();
}

}  // namespace ipp::store
