#include "server/store_tools.h"

#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/store/sqlite/backup.h"
#include "server/store/store_copy.h"

namespace ipp {

absl::Status BackUpStore(const config::Config& config, const std::string& target) {
  if (config.store().has_postgres()) {
    return absl::FailedPreconditionError(
        "--backup copies a SQLite store; back up the PostgreSQL database with pg_dump or "
        "pg_basebackup");
  }
  absl::Status status = store::BackUpSqlite(config.store().sqlite().path(), target);
  if (status.ok()) LogInfo("store backed up", {{"to", target}});
  return status;
}

absl::Status CopyStore(const config::Config& config, const std::string& source) {
  if (!config.store().has_postgres()) {
    return absl::FailedPreconditionError(
        "--copy-store copies into PostgreSQL: the configuration must name it (store.postgres)");
  }
  const config::Postgres& postgres = config.store().postgres();
  return store::CopySqliteToPostgres(source, {postgres.dsn_file(), postgres.password_file()});
}

}  // namespace ipp
