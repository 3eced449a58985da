#pragma once

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gtest/gtest.h"
#include "tests/support/http_socket.h"
#include "tests/support/postgres_server.h"

namespace ipp {

// PgBouncer, from Debian's package `pgbouncer`, in front of a server of a test. It listens on a
// Unix socket in a directory of its own, so it takes no port. A missing package fails the test.
// Ends with this object, or with the process.
class PgBouncer {
 public:
  struct Options {
    std::string pool_mode = "transaction";
    int pool_size = 20;  // connections to the server
  };

  PgBouncer(const PostgresServer& server, const Options& options) {
    std::string pattern = (std::filesystem::temp_directory_path() / "ipp-pool-XXXXXX").string();
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    const bool root = geteuid() == 0;
    // It does not run as root.
    user_ = root ? getpwnam("postgres") : nullptr;
    if (root && user_ == nullptr) {
      ADD_FAILURE() << "no user postgres: apt-get install postgresql pgbouncer";
      return;
    }
    if (root) {
      EXPECT_EQ(chown(directory_.c_str(), user_->pw_uid, user_->pw_gid), 0);
    }
    std::ofstream(directory_ + "/ini")
        << "[databases]\n* = host=127.0.0.1 port=" << server.port() << " user=postgres\n"
        << "[pgbouncer]\nauth_type = any\nlisten_port = 6432\nunix_socket_dir = " << directory_
        << "\npool_mode = " << options.pool_mode << "\ndefault_pool_size = " << options.pool_size
        << "\nquery_wait_timeout = 3\nlogfile = " << directory_ << "/log\n";
    Spawn();
  }
  ~PgBouncer() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  PgBouncer(const PgBouncer&) = delete;
  PgBouncer& operator=(const PgBouncer&) = delete;

  std::string conninfo(const std::string& database) const {
    return absl::StrCat("host=", directory_, " port=6432 user=postgres dbname=", database);
  }

 private:
  void Spawn() {
    const std::string ini = directory_ + "/ini";
    pid_ = fork();
    if (pid_ == 0) {
      const int null = open("/dev/null", O_WRONLY);
      for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) dup2(null, fd);
      if (user_ != nullptr && (initgroups(user_->pw_name, user_->pw_gid) != 0 ||
                               setgid(user_->pw_gid) != 0 || setuid(user_->pw_uid) != 0)) {
        _exit(126);
      }
      // Not to outlive a test that crashes. Behind setuid(), which would clear it.
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      execl("/usr/sbin/pgbouncer", "pgbouncer", "-q", ini.c_str(), nullptr);
      _exit(127);
    }
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!Listens()) {
      int status = 0;
      if (waitpid(pid_, &status, WNOHANG) != 0) {
        pid_ = -1;
        FAIL() << "PgBouncer does not start (Debian package pgbouncer): status " << status << "\n"
               << Log();
      }
      if (std::chrono::steady_clock::now() > end) FAIL() << "PgBouncer does not listen\n" << Log();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  bool Listens() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    absl::SNPrintF(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.6432", directory_);
    const http::Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }
  std::string Log() const {
    std::ifstream file(directory_ + "/log");
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::string directory_;
  const passwd* user_ = nullptr;  // as whom it runs, when we are root
  pid_t pid_ = -1;
};

}  // namespace ipp
