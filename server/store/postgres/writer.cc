#include "server/store/postgres/writer.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/store/postgres/epochs.h"
#include "server/store/postgres/rows.h"
#include "server/store/postgres/shared_tables.h"
#include "server/store/store_calls.h"

namespace ipp::store {
namespace {

// The most rows that one trimming step handles; it takes a few milliseconds.
constexpr int64_t kTrimStep = 500;
// "ippg" in ASCII; see postgres/schema.cc.
constexpr int64_t kTrimLock = 0x69707067'00000002;

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
  if (writes.loss) calls.push_back(PostgresLossCall(*writes.loss));
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
  if (!writes.cancels.empty()) {
    calls.push_back({"put_cancels", CancelArguments(writes.cancels)});
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

// ---- Shared subscriptions. ----

absl::Status PostgresWriter::InShared(absl::Time now,
                                      absl::FunctionRef<absl::Status(SharedTables&)> body) {
  const auto attempt = [&](PostgresConnection& connection) -> absl::StatusOr<bool> {
    PostgresSharedTables tables(&connection, limits_.answer,
                                database_clock_ ? std::nullopt : std::optional(now));
    IPP_RETURN_IF_ERROR(tables.Begin());
    IPP_RETURN_IF_ERROR(body(tables));
    if (tables.wrote()) {
      IPP_RETURN_IF_ERROR(Finish(connection, tables.TakeWrites()).status());
    } else {
      // A commit would wait for the disk, since a lock was taken.
      const PostgresCall rollback[] = {{"rollback"}};
      IPP_RETURN_IF_ERROR(connection.Run(rollback, limits_.answer).status());
    }
    return true;
  };
  return Attempt<bool>(ReconnectingConnection::InPause::kWait, attempt).status();
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
            step("trim_events", cutoffs.events),  step("trim_sessions", cutoffs.tombstones),
            step("trim_seen", cutoffs.seen),      step("trim_intents", cutoffs.tombstones),
            step("trim_cancels", cutoffs.events), step("shared_trim_idle", cutoffs.settled)};
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

// Several replicas may do this at once, each with rows of its own.
absl::StatusOr<bool> PostgresWriter::IndexSessions() {
  return Attempt<bool>(
      ReconnectingConnection::InPause::kFail,
      [&](PostgresConnection& connection) -> absl::StatusOr<bool> {
        const PostgresCall ask[] = {{"begin"}, {"to_index", PostgresArguments().Int(kTrimStep)}};
        IPP_ASSIGN_OR_RETURN(const std::vector<PostgresRows> rows,
                             connection.Run(ask, limits_.answer));
        IPP_ASSIGN_OR_RETURN(const std::vector<SessionRecord> records, ReadSessions(rows[1]));
        std::vector<PostgresCall> calls;
        if (!records.empty()) {
          std::vector<const SessionRecord*> written;
          for (const SessionRecord& record : records) written.push_back(&record);
          calls.push_back({"put_sessions", SessionArguments(written)});
        }
        IPP_RETURN_IF_ERROR(Finish(connection, std::move(calls)).status());
        return records.size() == kTrimStep;
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
