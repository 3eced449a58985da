#include "tests/support/postgres_server.h"

#include <fcntl.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "server/base/status_macros.h"

namespace ipp {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

constexpr auto kPatience = std::chrono::seconds(60);
constexpr auto kLookEvery = std::chrono::milliseconds(5);
constexpr char kUser[] = "postgres";
constexpr char kStandbyName[] = "standby";

// The directory with the programs of the newest version that is installed.
absl::StatusOr<std::string> Programs() {
  int newest = 0;
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", missing)) {
    int version = 0;
    if (absl::SimpleAtoi(entry.path().filename().string(), &version) &&
        fs::exists(entry.path() / "bin/postgres")) {
      newest = std::max(newest, version);
    }
  }
  if (newest == 0) {
    return absl::FailedPreconditionError(
        "no PostgreSQL server is installed; the tests need it: apt-get install postgresql");
  }
  return absl::StrCat("/usr/lib/postgresql/", newest, "/bin");
}

// Starts a program, as `postgres` when we are root, its output into `log`.
absl::StatusOr<pid_t> Spawn(std::vector<std::string> command, const std::string& log) {
  const bool root = geteuid() == 0;
  if (root) {
    // Asking for the death signal must be the last step: changing the user takes it back.
    command.insert(command.begin(),
                   {"/usr/bin/setpriv", absl::StrCat("--reuid=", kUser),
                    absl::StrCat("--regid=", kUser), "--clear-groups", "--pdeathsig=QUIT"});
  }
  std::vector<char*> argv;
  for (std::string& word : command) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::string language = "LC_ALL=C";
  std::vector<char*> environment = {language.data(), nullptr};

  const http::Fd out(open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  const pid_t pid = fork();
  if (pid < 0) return absl::UnavailableError("fork failed");
  if (pid == 0) {
    if (!root) prctl(PR_SET_PDEATHSIG, SIGQUIT);
    dup2(out.get(), STDOUT_FILENO);
    dup2(out.get(), STDERR_FILENO);
    setpgid(0, 0);  // Ctrl-C at the tests is not for it
    execve(argv[0], argv.data(), environment.data());
    _exit(127);
  }
  return pid;
}

std::string ReadAll(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

absl::Status Run(const std::vector<std::string>& command, const std::string& log) {
  IPP_ASSIGN_OR_RETURN(const pid_t pid, Spawn(command, log));
  int status = 0;
  waitpid(pid, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(command[0], " failed: ", ReadAll(log)));
}

void GiveToServer(const std::string& path) {
  if (geteuid() != 0) return;
  const passwd* user = getpwnam(kUser);
  if (user != nullptr) (void)!chown(path.c_str(), user->pw_uid, user->pw_gid);
}

// The processes of a server but its first one: those whose parent is `postmaster`.
std::vector<http::Fd> Children(pid_t postmaster) {
  std::vector<http::Fd> handles;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &pid)) continue;
    // "pid (name) state parent …"; the name may hold anything.
    const std::string stat = ReadAll((entry.path() / "stat").string());
    const std::vector<std::string> rest = absl::StrSplit(stat.substr(stat.rfind(')') + 1), ' ');
    pid_t parent = 0;
    if (rest.size() > 2 && absl::SimpleAtoi(rest[2], &parent) && parent == postmaster) {
      handles.emplace_back(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    }
  }
  return handles;
}

bool Send(const http::Fd& process, int signal) {
  return process.valid() && syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0) == 0;
}

absl::StatusOr<std::string> Query(const std::string& conninfo, const std::string& sql) {
  const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(PQconnectdb(conninfo.c_str()),
                                                                &PQfinish);
  if (PQstatus(connection.get()) != CONNECTION_OK) {
    return absl::UnavailableError(PQerrorMessage(connection.get()));
  }
  PQsetNoticeProcessor(
      connection.get(), [](void*, const char*) {}, nullptr);
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(connection.get(), sql.c_str()),
                                                             &PQclear);
  switch (PQresultStatus(result.get())) {
    case PGRES_COMMAND_OK:
      return std::string();
    case PGRES_TUPLES_OK:
      return PQntuples(result.get()) == 0 ? std::string() : PQgetvalue(result.get(), 0, 0);
    default:
      return absl::InternalError(PQresultErrorMessage(result.get()));
  }
}

template <typename F>
absl::Status WaitFor(absl::string_view what, F condition) {
  for (const auto end = steady_clock::now() + kPatience; !condition();) {
    if (steady_clock::now() > end) return absl::DeadlineExceededError(what);
    std::this_thread::sleep_for(kLookEvery);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<PostgresServer>> PostgresServer::Start(Options options) {
  std::unique_ptr<PostgresServer> server(new PostgresServer(std::move(options)));
  IPP_RETURN_IF_ERROR(server->MakeDirectory());
  IPP_RETURN_IF_ERROR(server->ReservePort());
  IPP_RETURN_IF_ERROR(server->MakeCluster());
  IPP_RETURN_IF_ERROR(server->InstallCertificate());
  IPP_RETURN_IF_ERROR(server->Launch());
  return server;
}

PostgresServer& PostgresServer::Shared() {
  static std::unique_ptr<PostgresServer> shared;
  if (shared == nullptr) shared = Start({}).value();
  return *shared;
}

PostgresServer::~PostgresServer() {
  if (pid_ > 0) {
    SignalAll(SIGCONT).IgnoreError();
    kill(pid_, SIGQUIT);  // it kills the others
    waitpid(pid_, nullptr, 0);
  }
  std::error_code ignored;
  if (!directory_.empty()) fs::remove_all(directory_, ignored);
}

std::string PostgresServer::conninfo(absl::string_view database) const {
  return absl::StrCat("host=127.0.0.1 port=", port_, " user=", kUser, " dbname=", database);
}

std::string PostgresServer::log() const { return ReadAll(directory_ + "/log"); }

// ---- Start. ----

absl::Status PostgresServer::MakeDirectory() {
  if (geteuid() == 0 && getpwnam(kUser) == nullptr) {
    return absl::FailedPreconditionError(
        "there is no user postgres to run a PostgreSQL server as; the tests need it: apt-get "
        "install postgresql");
  }
  std::string pattern = (fs::temp_directory_path() / "ipp-pg-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat("cannot make ", pattern));
  }
  directory_ = pattern;
  GiveToServer(directory_);
  return absl::OkStatus();
}

absl::Status PostgresServer::ReservePort() {
  // While no socket of a port listens, two may have it when both allow it, as the server's does.
  reserved_ = http::Fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(reserved_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address = http::Loopback(0);
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(reserved_.get(), generic, size) != 0 ||
      getsockname(reserved_.get(), generic, &size) != 0) {
    return absl::UnavailableError("no free port");
  }
  port_ = ntohs(address.sin_port);
  return absl::OkStatus();
}

absl::Status PostgresServer::MakeCluster() {
  IPP_ASSIGN_OR_RETURN(const std::string programs, Programs());
  IPP_RETURN_IF_ERROR(Run(
      {programs + "/initdb", "--pgdata=" + data(), "--no-sync", "--no-locale", "--encoding=UTF8",
       "--auth=trust", absl::StrCat("--username=", kUser), "--no-instructions"},
      directory_ + "/initdb.log"));
  std::ofstream(data() + "/pg_hba.conf") << "host all postgres 127.0.0.1/32 trust\n"
                                            "host replication postgres 127.0.0.1/32 trust\n"
                                            "host all all 127.0.0.1/32 scram-sha-256\n";
  return absl::OkStatus();
}

absl::Status PostgresServer::InstallCertificate() {
  if (options_.cert_file.empty()) return absl::OkStatus();
  // The server wants a key that no other user can read.
  for (const auto& [from, to] : {std::pair(options_.cert_file, data() + "/server.crt"),
                                 std::pair(options_.key_file, data() + "/server.key")}) {
    std::error_code error;
    if (!fs::copy_file(from, to, error)) {
      return absl::FailedPreconditionError(absl::StrCat(from, ": ", error.message()));
    }
    chmod(to.c_str(), 0600);
    GiveToServer(to);
  }
  return absl::OkStatus();
}

absl::Status PostgresServer::Launch() {
  IPP_ASSIGN_OR_RETURN(const std::string programs, Programs());
  std::vector<std::string> settings = {
      "listen_addresses=127.0.0.1",
      absl::StrCat("port=", port_),
      "unix_socket_directories=",
      "logging_collector=off",
      "shared_buffers=16MB",
      "dynamic_shared_memory_type=mmap",  // a killed server leaves nothing outside its directory
      "autovacuum=off",
      "wal_retrieve_retry_interval=100ms",  // a standby that is promoted may sit one out
      absl::StrCat("fsync=", options_.fsync ? "on" : "off"),
      absl::StrCat("full_page_writes=", options_.fsync ? "on" : "off"),
      absl::StrCat("ssl=", options_.cert_file.empty() ? "off" : "on")};
  settings.insert(settings.end(), options_.settings.begin(), options_.settings.end());
  std::vector<std::string> command = {programs + "/postgres", "-D", data()};
  for (const std::string& setting : settings) {
    command.push_back("-c");
    command.push_back(setting);
  }
  IPP_ASSIGN_OR_RETURN(pid_, Spawn(std::move(command), directory_ + "/log"));
  return WaitUntilReady();
}

absl::Status PostgresServer::WaitUntilReady() {
  bool ended = false;
  IPP_RETURN_IF_ERROR(WaitFor("PostgreSQL does not take connections", [&] {
    ended = waitpid(pid_, nullptr, WNOHANG) != 0;
    return ended || PQping(conninfo().c_str()) == PQPING_OK;
  }));
  if (!ended) return absl::OkStatus();
  pid_ = -1;
  return absl::FailedPreconditionError(absl::StrCat("PostgreSQL ended at its start: ", log()));
}

// ---- Databases. ----

std::string PostgresServer::CreateDatabase() {
  std::string name = absl::StrCat("test", ++databases_);
  Execute("postgres", absl::StrCat("CREATE DATABASE ", name, " STRATEGY file_copy")).value();
  return name;
}

absl::Status PostgresServer::DropDatabase(const std::string& database) {
  return Execute("postgres", absl::StrCat("DROP DATABASE ", database, " WITH (FORCE)")).status();
}

absl::StatusOr<std::string> PostgresServer::Execute(const std::string& database,
                                                    const std::string& sql) {
  return Query(conninfo(database), sql);
}

absl::StatusOr<std::string> PostgresServer::Dump(const std::string& database,
                                                 const std::string& schema) {
  IPP_ASSIGN_OR_RETURN(const std::string programs, Programs());
  const std::string file = absl::StrCat(directory_, "/dump-", ++dumps_);
  IPP_RETURN_IF_ERROR(Run({programs + "/pg_dump", "--format=custom", "--schema=" + schema,
                           "--file=" + file, "--dbname=" + conninfo(database)},
                          directory_ + "/dump.log"));
  return file;
}

absl::Status PostgresServer::LoadDump(const std::string& database, const std::string& file) {
  IPP_ASSIGN_OR_RETURN(const std::string programs, Programs());
  return Run({programs + "/pg_restore", "--clean", "--if-exists", "--exit-on-error",
              "--dbname=" + conninfo(database), file},
             directory_ + "/restore.log");
}

// ---- Ends. ----

absl::Status PostgresServer::SignalAll(int signal) {
  for (const http::Fd& child : Children(pid_)) Send(child, signal);
  kill(pid_, signal);
  return absl::OkStatus();
}

// The postmaster last, when its children are gone. A backend that waits for the standby and sees
// the postmaster die gives the wait up, and for a moment other backends see a commit that the
// standby does not have. A machine that falls takes all processes in one moment; there is no such
// moment.
absl::Status PostgresServer::Kill() {
  if (pid_ <= 0) return absl::FailedPreconditionError("it does not run");
  kill(pid_, SIGSTOP);  // it makes no more processes
  const std::vector<http::Fd> children = Children(pid_);
  for (const http::Fd& child : children) Send(child, SIGKILL);
  for (const http::Fd& child : children) {
    pollfd ended{child.get(), POLLIN, 0};
    if (child.valid()) poll(&ended, 1, -1);
  }
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
  return absl::OkStatus();
}

absl::Status PostgresServer::Stop() {
  if (pid_ <= 0) return absl::FailedPreconditionError("it does not run");
  kill(pid_, SIGINT);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
  return absl::OkStatus();
}

absl::Status PostgresServer::Restart() {
  if (pid_ > 0) return absl::FailedPreconditionError("it runs");
  // It is known to be gone; its number may be somebody else's by now.
  std::error_code ignored;
  fs::remove(data() + "/postmaster.pid", ignored);
  return Launch();
}

absl::Status PostgresServer::Freeze() { return SignalAll(SIGSTOP); }
absl::Status PostgresServer::Thaw() { return SignalAll(SIGCONT); }

// ---- Standby. ----

absl::StatusOr<std::unique_ptr<PostgresServer>> PostgresServer::StartStandby() {
  IPP_ASSIGN_OR_RETURN(const std::string programs, Programs());
  std::unique_ptr<PostgresServer> standby(new PostgresServer(options_));
  IPP_RETURN_IF_ERROR(standby->MakeDirectory());
  IPP_RETURN_IF_ERROR(standby->ReservePort());
  IPP_RETURN_IF_ERROR(
      Run({programs + "/pg_basebackup", "--pgdata=" + standby->data(), "--checkpoint=fast",
           "--no-sync", "--write-recovery-conf",
           absl::StrCat("--dbname=", conninfo(), " application_name=", kStandbyName)},
          standby->directory_ + "/basebackup.log"));
  IPP_RETURN_IF_ERROR(standby->Launch());
  IPP_RETURN_IF_ERROR(
      Execute("postgres",
              absl::StrCat("ALTER SYSTEM SET synchronous_standby_names = ", kStandbyName))
          .status());
  IPP_RETURN_IF_ERROR(Execute("postgres", "SELECT pg_reload_conf()").status());
  IPP_RETURN_IF_ERROR(WaitFor("the standby does not become synchronous", [&] {
    const auto state = Execute("postgres", "SELECT sync_state FROM pg_stat_replication");
    return state.ok() && *state == "sync";
  }));
  // That was this connection's view. Commits wait for the standby only once the checkpointer has
  // read the setting too, which it does before it makes a checkpoint.
  for (int i = 0; i < 2; ++i) IPP_RETURN_IF_ERROR(Execute("postgres", "CHECKPOINT").status());
  return standby;
}

absl::Status PostgresServer::Promote() {
  const auto promoted = Execute("postgres", "SELECT pg_promote()");
  if (!promoted.ok()) return promoted.status();
  return *promoted == "t" ? absl::OkStatus() : absl::DeadlineExceededError("not promoted");
}

}  // namespace ipp
