#include "server/app_store.h"

#include <future>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/config/config.h"
#include "server/store/postgres/store.h"
#include "server/store/sqlite/store.h"

namespace ipp {

absl::StatusOr<std::unique_ptr<store::Store>> OpenStore(const config::Config& config, Clock* clock,
                                                        Metrics* metrics) {
  store::Retention retention;
  retention.events = config::ToDuration(config.events().retention());
  retention.creates = config::ToDuration(config.creates().memory());
  if (config.store().has_postgres()) {
    const config::Postgres& postgres = config.store().postgres();
    store::PostgresOptions options;
    options.dsn_file = postgres.dsn_file();
    options.password_file = postgres.password_file();
    options.queue.retention = retention;
    options.database_clock = true;
    return store::OpenPostgresStore(std::move(options), clock, metrics);
  }
  store::SqliteOptions options;
  options.path = config.store().sqlite().path();
  options.queue.retention = retention;
  return store::OpenSqliteStore(std::move(options), clock, metrics);
}

absl::Status NoteRestore(store::Store* store, absl::Duration hold_creates) {
  const absl::Time now = store->Now();
  std::promise<absl::StatusOr<store::LogBounds>> begun;
  store->BeginEpoch(
      {.hold_creates_until = now + hold_creates, .sessions_due = now},
      [&begun](absl::StatusOr<store::LogBounds> bounds) { begun.set_value(std::move(bounds)); });
  const absl::StatusOr<store::LogBounds> bounds = begun.get_future().get();
  if (!bounds.ok()) return bounds.status();
  LogWarning(
      "--restored: cursors of events after the backup are foreign from now on, and every open "
      "session is read",
      {{"latest_position", absl::StrCat(bounds->latest)}});
  return absl::OkStatus();
}

}  // namespace ipp
