#include "server/store/postgres/connection_settings.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/store/postgres/rows.h"
#include "server/store/postgres/schema.h"
#include "server/store/postgres/session_check.h"

namespace ipp::store {
namespace {

// Every statement finds its rows by an index. By default the server would plan for the empty tables
// of the first day (or plan each batch anew), and scan tables that have grown since. Disabled scans
// get a very high cost, which would trigger JIT compilation; hence `jit = off`.
constexpr char kForAll[] =
    "SET search_path = ''; SET client_min_messages = warning; SET plan_cache_mode = "
    "force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin "
    "= off; SET jit = off;";
constexpr char kForWriter[] =
    "SELECT set_config('synchronous_commit', 'on', false) "
    "WHERE current_setting('synchronous_commit') <> 'remote_apply';";
constexpr char kForOthers[] = "SET default_transaction_read_only = on;";

int64_t Milliseconds(std::chrono::nanoseconds time) {
  return std::max<int64_t>(1, std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
}

}  // namespace

absl::Status SetUpConnection(PostgresConnection& connection, PostgresRole role,
                             const PostgresLimits& limits) {
  // An open transaction holds the lock of the log, which every replica waits for. The server ends
  // it if this process was cut off or suspended in the middle.
  const std::string sql =
      absl::StrCat(kForAll, role == PostgresRole::kWrite ? kForWriter : kForOthers,
                   role == PostgresRole::kListen ? "LISTEN ipp_gateway_events;" : "",
                   "SET statement_timeout = ", Milliseconds(limits.statement()),
                   "; SET lock_timeout = ", Milliseconds(limits.lock()),
                   "; SET idle_in_transaction_session_timeout = ", Milliseconds(limits.answer));
  IPP_RETURN_IF_ERROR(connection.Execute(sql, limits.answer).status());
  connection.TakeWarning();
  return absl::OkStatus();
}

absl::StatusOr<std::string> CheckLog(PostgresConnection& connection, const std::string& expected,
                                     const PostgresLimits& limits) {
  IPP_ASSIGN_OR_RETURN(const PostgresRows rows,
                       connection.Execute("SELECT id FROM ipp_gateway.log", limits.answer));
  if (rows.size() != 1) return absl::DataLossError("the log has no identity");
  std::string id = rows.String(0, 0);
  if (!expected.empty() && id != expected) {
    return absl::FailedPreconditionError("the database holds another log than at the start");
  }
  return id;
}

absl::StatusOr<LogAtStart> OpenLog(const PostgresFiles& files, const PostgresLimits& limits) {
  const StopSignal never;
  IPP_ASSIGN_OR_RETURN(const std::vector<PostgresTarget> targets,
                       ReadTargets(files, PostgresRole::kWrite));
  IPP_ASSIGN_OR_RETURN(const std::unique_ptr<PostgresConnection> connection,
                       PostgresConnection::Open(targets, std::chrono::nanoseconds::zero(), &never));
  IPP_RETURN_IF_ERROR(CheckSession(*connection, targets, limits));
  IPP_RETURN_IF_ERROR(MigratePostgres(connection.get(), PostgresMigrations()));
  LogAtStart log;
  IPP_ASSIGN_OR_RETURN(log.id, CheckLog(*connection, "", limits));
  IPP_RETURN_IF_ERROR(connection->Prepare(
      {{"bounds", kPostgresReadBounds}, {"clock", kPostgresReadClock}}, limits.answer));
  const PostgresCall calls[] = {{"bounds"}, {"clock"}};
  IPP_ASSIGN_OR_RETURN(const std::vector<PostgresRows> rows, connection->Run(calls, limits.answer));
  IPP_ASSIGN_OR_RETURN(log.bounds, ReadBounds(rows[0]));
  log.now = FromPostgresNanos(rows[1].Int(0, 0));
  return log;
}

}  // namespace ipp::store
