#include "server/store/sqlite/epochs.h"

#include <algorithm>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/store/sqlite/rows.h"

namespace ipp::store {

absl::Status LoadEpochs(SqliteDatabase* database, LogBounds* bounds) {
  IPP_ASSIGN_OR_RETURN(
      const std::string epochs,
      database->ReadOne("SELECT group_concat(sequence || ':' || label || ':' || starts_after, ',') "
                        "FROM (SELECT * FROM log_epochs ORDER BY sequence)"));
  IPP_ASSIGN_OR_RETURN(bounds->epochs, ParseEpochs(epochs));
  IPP_ASSIGN_OR_RETURN(const std::string held,
                       database->ReadOne("SELECT creates_held_until FROM log"));
  int64_t nanos = 0;
  if (!absl::SimpleAtoi(held, &nanos)) return absl::DataLossError("not a time");
  bounds->creates_held_until = FromNanos(nanos);
  return absl::OkStatus();
}

absl::Status WriteEpoch(SqliteDatabase* database, const NewEpoch& epoch, LogBounds* bounds) {
  const int64_t starts_after =
      std::min(epoch.starts_after.value_or(bounds->latest), bounds->latest);
  const int64_t sequence = std::max(epoch.after_sequence, bounds->epoch().sequence) + 1;
  std::string sql = absl::StrCat("INSERT INTO log_epochs (sequence, label, starts_after) VALUES (",
                                 sequence, ", ", UnusedLabel(bounds->epochs), ", ", starts_after,
                                 "); DELETE FROM log_epochs WHERE sequence NOT IN (SELECT sequence "
                                 "FROM log_epochs ORDER BY sequence DESC LIMIT ",
                                 kMaxEpochs, ");");
  if (epoch.hold_creates_until) {
    absl::StrAppend(
        &sql, "UPDATE log SET creates_held_until = ", ToNanos(*epoch.hold_creates_until), ";");
  }
  if (epoch.sessions_due != absl::InfiniteFuture()) {
    const int64_t due = ToNanos(epoch.sessions_due);
    absl::StrAppend(&sql, "UPDATE sessions SET next_check_at = ", due,
                    " WHERE open = 1 AND (next_check_at IS NULL OR next_check_at > ", due, ");");
  }
  IPP_RETURN_IF_ERROR(database->InTransaction([&] { return database->Execute(sql); }));
  return LoadEpochs(database, bounds);
}

}  // namespace ipp::store
