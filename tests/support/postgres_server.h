#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tests/support/http_socket.h"

namespace ipp {

// A real PostgreSQL server of a test, from Debian's package `postgresql`: a fresh cluster in a
// temporary directory, on a port of 127.0.0.1 that the kernel chose and that stays ours while this
// lives, also between Kill() and Restart(). The superuser `postgres` needs no password; every other
// role needs its own (scram-sha-256). PostgreSQL does not run as root: then its programs run as the
// user `postgres` of the package. Ends with this object; also when the process, or the thread that
// started it, dies. Not thread-safe.
class PostgresServer {
 public:
  struct Options {
    // On: what was committed survives the machine, not only the server's processes.
    bool fsync = false;
    // TLS on the same port, beside plaintext, when set.
    std::string cert_file = {};
    std::string key_file = {};
    // More of postgresql.conf: {"log_statement=all"}.
    std::vector<std::string> settings = {};
  };

  // Says what to install when the package is missing.
  static absl::StatusOr<std::unique_ptr<PostgresServer>> Start(Options options);
  // One for the whole test process, started when first asked for. Throws when it cannot be, which
  // fails the test.
  static PostgresServer& Shared();

  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  int port() const { return port_; }
  // A connection string, for the superuser.
  std::string conninfo(absl::string_view database = "postgres") const;

  // An empty database under a name of its own. Throws when it cannot be made.
  std::string CreateDatabase();
  // Also when somebody is connected to it.
  absl::Status DropDatabase(const std::string& database);
  // Runs statements as the superuser; the first column of the first row of the last one, as text,
  // empty when there is none.
  absl::StatusOr<std::string> Execute(const std::string& database, const std::string& sql);

  // Writes the schema and its rows to a file of this server's directory, with pg_dump; its path.
  absl::StatusOr<std::string> Dump(const std::string& database, const std::string& schema);
  // Puts what Dump() wrote in the place of what the database has, with pg_restore.
  absl::Status LoadDump(const std::string& database, const std::string& file);

  // SIGKILL to all of its processes, as if its machine fell; waits until they are gone.
  absl::Status Kill();
  // Ends it in order, without waiting for clients.
  absl::Status Stop();
  // After Kill() or Stop(): the same data on the same port. Waits until it takes connections.
  absl::Status Restart();
  // All of its processes stand still: connections open, none is answered.
  absl::Status Freeze();
  absl::Status Thaw();

  // A synchronous standby of this server: from now on no commit here returns before the standby has
  // it on its disk. Freeze, Stop or Kill it, and commits here wait.
  absl::StatusOr<std::unique_ptr<PostgresServer>> StartStandby();
  // Makes a standby a server of its own, without a standby to wait for.
  absl::Status Promote();

  // Of the server's log, for a test that failed.
  std::string log() const;

 private:
  explicit PostgresServer(Options options) : options_(std::move(options)) {}
  absl::Status MakeDirectory();
  absl::Status ReservePort();
  absl::Status MakeCluster();
  absl::Status InstallCertificate();
  absl::Status Launch();
  absl::Status WaitUntilReady();
  absl::Status SignalAll(int signal);
  std::string data() const { return directory_ + "/data"; }

  const Options options_;
  std::string directory_;
  http::Fd reserved_;  // bound, never listening: no other process is given the port
  int port_ = 0;
  pid_t pid_ = -1;  // of the postmaster
  int databases_ = 0;
  int dumps_ = 0;
};

}  // namespace ipp
