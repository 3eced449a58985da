#include "server/store/postgres/session_check.h"

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/base/uuid.h"
#include "server/store/postgres/rows.h"

namespace ipp::store {
namespace {

constexpr char kReadMark[] = "SELECT coalesce(current_setting('ipp_gateway.session', true), '')";

absl::Status Shared() {
  return absl::FailedPreconditionError(
      "there is a connection pool in transaction mode in between, and the gateway needs sessions "
      "of its own (LISTEN, prepared statements, settings): connect to the server itself, or set "
      "the pool to session mode (PgBouncer: pool_mode = session)");
}

}  // namespace

// One connection marks its session. Then another holds a session by an open transaction: a pool in
// transaction mode has to take the marked one, or one of the others that the first connection could
// have been given next. So the mark shows up in the wrong place, or is missing in the right one. A
// pool that several clients use may give both what they had by chance; hence more than one round.
absl::Status CheckSession(PostgresConnection& connection, absl::Span<const PostgresTarget> targets,
                          const PostgresLimits& limits) {
  constexpr int kRounds = 3;
  const StopSignal never;
  const std::string mark = NewUuid();
  IPP_ASSIGN_OR_RETURN(const std::unique_ptr<PostgresConnection> other,
                       PostgresConnection::Open(targets, std::chrono::nanoseconds::zero(), &never));
  for (int round = 0; round < kRounds; ++round) {
    IPP_RETURN_IF_ERROR(
        connection
            .Execute(absl::StrCat("SELECT set_config('ipp_gateway.session', '", mark, "', false)"),
                     limits.answer)
            .status());
    IPP_ASSIGN_OR_RETURN(const PostgresRows theirs,
                         other->Execute(absl::StrCat("BEGIN;", kReadMark), limits.answer));
    if (theirs.size() != 1) return absl::InternalError("a result is missing");
    // Before the next statement: a pool of one would let it wait for the other's transaction.
    if (theirs.String(0, 0) == mark) return Shared();
    IPP_ASSIGN_OR_RETURN(const PostgresRows ours, connection.Execute(kReadMark, limits.answer));
    if (ours.size() != 1) return absl::InternalError("a result is missing");
    if (ours.String(0, 0) != mark) return Shared();
    IPP_RETURN_IF_ERROR(other->Execute("ROLLBACK", limits.answer).status());
  }
  return absl::OkStatus();
}

}  // namespace ipp::store
