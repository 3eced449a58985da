#include "server/store/postgres/epochs.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/store/postgres/rows.h"

namespace ipp::store {
namespace {

// The epoch starts after position $1, or after the end of the log if that is earlier; its sequence
// is larger than $2. The label is chosen here, under the lock of the log's row, so that no two
// replicas choose the same one. Does nothing if an epoch later than $3 starts there already:
// another replica has found the same loss.
constexpr char kBeginEpoch[] =
    "INSERT INTO ipp_gateway.log_epochs SELECT greatest((SELECT max(sequence) FROM "
    "ipp_gateway.log_epochs), $2::bigint) + 1, (SELECT l FROM generate_series(1, 65535) AS l WHERE "
    "l NOT IN (SELECT label FROM ipp_gateway.log_epochs) ORDER BY random() LIMIT 1), "
    "least($1::bigint, (SELECT last_position FROM ipp_gateway.log)) WHERE NOT EXISTS (SELECT FROM "
    "ipp_gateway.log_epochs WHERE sequence > $3::bigint AND starts_after = $1::bigint)";

}  // namespace

std::vector<PostgresStatement> PostgresEpochStatements() {
  return {
      {"begin_epoch", kBeginEpoch},
      {"drop_epochs", absl::StrCat("DELETE FROM ipp_gateway.log_epochs WHERE sequence NOT IN "
                                   "(SELECT sequence FROM ipp_gateway.log_epochs ORDER BY sequence "
                                   "DESC LIMIT ",
                                   kMaxEpochs, ")")},
      {"hold_creates", "UPDATE ipp_gateway.log SET creates_held_until = $1::bigint"},
      {"all_due",
       "UPDATE ipp_gateway.sessions SET next_check_at = $1::bigint WHERE open AND (next_check_at "
       "IS NULL OR next_check_at > $1::bigint)"},
      {"bounds", kPostgresReadBounds},
  };
}

std::vector<PostgresCall> PostgresEpochCalls(const NewEpoch& epoch) {
  constexpr int64_t kAnywhere = std::numeric_limits<int64_t>::max();
  std::vector<PostgresCall> calls;
  calls.push_back({"begin_epoch", PostgresArguments()
                                      .Int(epoch.starts_after.value_or(kAnywhere))
                                      .Int(epoch.after_sequence)
                                      .Int(epoch.starts_after ? epoch.after_sequence : kAnywhere)});
  calls.push_back({"drop_epochs"});
  if (epoch.hold_creates_until) {
    calls.push_back(
        {"hold_creates", PostgresArguments().Int(PostgresNanos(*epoch.hold_creates_until))});
  }
  if (epoch.sessions_due != absl::InfiniteFuture()) {
    calls.push_back({"all_due", PostgresArguments().Int(PostgresNanos(epoch.sessions_due))});
  }
  // Larger than any position, so that every replica reads the bounds.
  calls.push_back({"notify", PostgresArguments().Int(kAnywhere)});
  calls.push_back({"bounds"});
  return calls;
}

PostgresCall PostgresLossCall(const LogLoss& loss) {
  return {"begin_epoch", PostgresArguments().Int(loss.last_position).Int(0).Int(loss.known_epoch)};
}

}  // namespace ipp::store
