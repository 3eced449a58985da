#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/faults/work_directory.h"
#include "tests/support/postgres_server.h"

namespace ipp::faults {

// The PostgreSQL that gateways share, to be killed: alone it comes back on its own data; with a
// standby the standby takes its place. The main thread only.
class Database {
 public:
  static absl::StatusOr<std::unique_ptr<Database>> Start(bool with_standby,
                                                         const WorkDirectory& directory);

  // The `store` of a gateway's configuration.
  std::string yaml() const;

  // SIGKILL to all of its processes at once.
  absl::Status Kill() { return primary_->Kill(); }
  // In order, without waiting for clients.
  absl::Status Stop() { return primary_->Stop(); }
  // Until it takes connections: the same server again, or the standby, promoted; that one then gets
  // a standby of its own.
  absl::Status Revive();

  // pg_dump of the gateway's schema; the file's path.
  absl::StatusOr<std::string> BackUp();
  // pg_restore of it, while no gateway runs.
  absl::Status Restore(const std::string& file);

 private:
  Database(const WorkDirectory& directory) : directory_(directory) {}
  absl::Status AddStandby();
  void WriteDsn() const;

  const WorkDirectory& directory_;
  std::unique_ptr<PostgresServer> primary_;
  std::unique_ptr<PostgresServer> standby_;  // nullptr: there is none
  std::string name_;
};

}  // namespace ipp::faults
