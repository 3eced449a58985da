#include "server/store/sqlite/store.h"

#include <utility>

#include "server/base/status_macros.h"
#include "server/store/file_lock.h"
#include "server/store/sqlite/files.h"
#include "server/store/sqlite/reader.h"
#include "server/store/sqlite/writer.h"

namespace ipp::store {

absl::StatusOr<std::unique_ptr<Store>> OpenSqliteStore(SqliteOptions options, Clock* clock,
                                                       Metrics* metrics) {
  IPP_ASSIGN_OR_RETURN(std::unique_ptr<FileLock> lock, FileLock::Acquire(options.path + ".lock"));
  IPP_RETURN_IF_ERROR(SecureSqliteFiles(options.path));
  IPP_ASSIGN_OR_RETURN(std::unique_ptr<SqliteWriter> writer, SqliteWriter::Open(options.path));
  IPP_ASSIGN_OR_RETURN(std::unique_ptr<SqliteReader> reader, SqliteReader::Open(options.path));
  Backend backend{.log_id = writer->log_id(),
                  .bounds = writer->bounds(),
                  .last_used = writer->last_used(),
                  .exclusive = true,
                  .name = {"path", options.path},
                  .held = std::move(lock),
                  .writer = std::move(writer),
                  .reader = std::move(reader)};
  return std::make_unique<QueuedStore>(std::move(backend), options.queue, clock, metrics);
}

}  // namespace ipp::store
