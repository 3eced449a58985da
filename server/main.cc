#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/app.h"
#include "server/base/error.h"
#include "server/base/log.h"
#include "server/base/log_thread.h"
#include "server/config/config.h"
#include "server/store_tools.h"

namespace {

constexpr char kHelp[] =
    R"(ipp-gateway: Kustom's In-Person Payments over gRPC

usage: ipp-gateway --config FILE [--listen HOST:PORT] [--log-level LEVEL] [--restored]
       ipp-gateway --config FILE --check-config | --backup FILE | --copy-store FILE

  --config FILE        the configuration (YAML); every key is described in
                       server/config/config.proto and deploy/gateway.example.yaml
  --check-config       check the configuration and the files that it names, then exit
  --restored           serve, on a store that was restored from a backup: cursors of events that
                       the backup does not hold are foreign from now on, every open session is
                       read, and creates under a request_id that is not known are held for
                       `creates.settle`. For the first start after a restore only
  --backup FILE        write a consistent copy of the SQLite store to FILE, which must not be
                       there, then exit; also while a gateway runs on the store
  --copy-store FILE    copy the SQLite store in FILE, on which no gateway runs, into the empty
                       PostgreSQL database of `store.postgres`, then exit
  --listen HOST:PORT   overrides `listen`
  --log-level LEVEL    overrides `log_level`: debug, info, warning, error, off
  --version            print the version
  --help               print this

Signals: SIGTERM, SIGINT drain. SIGHUP: read secrets, keys and certificates again now. SIGUSR1: log
at level debug. SIGUSR2: log at the configured level again.
Environment: IPP_<KEY> overrides a key, two underscores for a dot (IPP_UPSTREAM__BASE_URL).
Exit codes: 0 drained after SIGTERM or SIGINT, or done what was asked; 1 start-up, the backup or the
copy failed; 2 bad usage.
)";

// How long the end of the process waits until the log is written.
constexpr absl::Duration kLogLimit = absl::Seconds(1);

enum ExitCode { kDrained = 0, kStartFailed = 1, kBadUsage = 2 };

struct Flags {
  std::string config;
  bool check_config = false;
  bool restored = false;
  std::optional<std::string> backup;
  std::optional<std::string> copy_store;
  std::optional<std::string> listen;
  std::optional<std::string> log_level;
};

// Returns an exit code if the process must end here.
std::optional<int> ParseFlags(int argc, char** argv, Flags* flags) {
  for (int i = 1; i < argc; ++i) {
    std::string name = argv[i];
    std::optional<std::string> value;
    if (const size_t equals = name.find('='); equals != std::string::npos) {
      value = name.substr(equals + 1);
      name.resize(equals);
    }
    if (name == "--help") return std::fputs(kHelp, stdout) < 0 ? kStartFailed : kDrained;
    if (name == "--version")
      return std::puts("ipp-gateway " IPP_VERSION) < 0 ? kStartFailed : kDrained;
    if (name == "--check-config" && !value) {
      flags->check_config = true;
      continue;
    }
    if (name == "--restored" && !value) {
      flags->restored = true;
      continue;
    }
    const bool known = name == "--config" || name == "--listen" || name == "--log-level" ||
                       name == "--backup" || name == "--copy-store";
    if (known && !value && i + 1 < argc) value = argv[++i];
    if (!known || !value) {
      std::fprintf(stderr, "ipp-gateway: %s: %s; see --help\n", name.c_str(),
                   known ? "needs a value" : "no such flag");
      return kBadUsage;
    }
    if (name == "--config") flags->config = *value;
    if (name == "--listen") flags->listen = *value;
    if (name == "--log-level") flags->log_level = *value;
    if (name == "--backup") flags->backup = *value;
    if (name == "--copy-store") flags->copy_store = *value;
  }
  const int tasks = (flags->check_config ? 1 : 0) + (flags->restored ? 1 : 0) +
                    (flags->backup ? 1 : 0) + (flags->copy_store ? 1 : 0);
  if (tasks > 1) {
    std::fputs(
        "ipp-gateway: of --check-config, --restored, --backup and --copy-store one at a time; see "
        "--help\n",
        stderr);
    return kBadUsage;
  }
  if (!flags->config.empty()) return std::nullopt;
  std::fputs("ipp-gateway: --config is required; see --help\n", stderr);
  return kBadUsage;
}

absl::StatusOr<ipp::config::Config> LoadConfig(const Flags& flags) {
  // Flags override the environment.
  std::map<std::string, std::string> overrides = ipp::config::IppEnvironment();
  if (flags.listen) overrides["IPP_LISTEN"] = *flags.listen;
  if (flags.log_level) overrides["IPP_LOG_LEVEL"] = *flags.log_level;
  return ipp::config::Load(flags.config, overrides);
}

// The soft limit is often 1,024, for programs that use select(). Nothing here uses select().
void RaiseFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// A thread that wakes another one goes on with what it does, instead of making room at once: what
// follows is then done in one turn, a fifth less CPU a call (docs/adr/0023). Needs no privilege,
// and changes nothing about the share of the CPU. Threads inherit it; those that an event passes
// undo it for themselves (base/this_thread.h).
void LetThreadsFinishTheirTurn() {
  const sched_param none{};
  sched_setscheduler(0, SCHED_BATCH, &none);  // where it is refused, the gateway is only slower
}

// For a person who asked for something: a check, a backup, a copy.
int FailTask(const absl::Status& status) {
  std::fprintf(stderr, "ipp-gateway: %s\n", std::string(status.message()).c_str());
  return kStartFailed;
}

// In the log, with time and level, since a supervisor collects it.
int FailStart(const absl::Status& status) {
  if (!ipp::LogEnabled(ipp::LogLevel::kError)) return FailTask(status);  // `log_level: off`
  ipp::LogError(absl::StrCat("cannot start: ", status.message()));
  ipp::FlushLog(kLogLimit);
  return kStartFailed;
}

// The format that the configuration's errors are written in; the file is not read by then.
absl::Status SetEarlyLogFormat() {
  const std::map<std::string, std::string> environment = ipp::config::IppEnvironment();
  const auto format = environment.find("IPP_LOG_FORMAT");
  return format == environment.end() ? absl::OkStatus() : ipp::SetLogFormat(format->second);
}

absl::Status SetUpLog(const ipp::config::Config& config) {
  if (absl::Status format = ipp::SetLogFormat(config.log_format()); !format.ok()) return format;
  return ipp::SetLogLevel(config.log_level());
}

// Logs the change while the more verbose of the two levels is in force, so that it is seen.
void SetLevel(const std::string& level) {
  const auto say = [&level] {
    ipp::LogWarning("log level set by a signal", {{"log_level", level}});
  };
  if (level != "debug") say();
  ipp::SetLogLevel(level).IgnoreError();
  if (level == "debug") say();
}

// The signals that Serve() takes with sigwait.
sigset_t AwaitedSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2}) sigaddset(&signals, number);
  return signals;
}

// Carries out signals until one asks for the end; returns its number.
int AwaitEnd(const sigset_t& signals, const ipp::config::Config& config, ipp::App* app) {
  while (true) {
    int number = 0;
    sigwait(&signals, &number);
    switch (number) {
      case SIGHUP:
        app->RereadFiles();
        break;
      case SIGUSR1:
        SetLevel("debug");
        break;
      case SIGUSR2:
        SetLevel(config.log_level());
        break;
      default:
        return number;
    }
  }
}

int Serve(const ipp::config::Config& config, bool restored, const sigset_t& signals) {
  ipp::StartLogThread();
  ipp::LogInfo("starting", {{"version", IPP_VERSION}});
  ipp::App::Options options;
  options.restored = restored;
  absl::StatusOr<std::unique_ptr<ipp::App>> app = ipp::App::Start(config, options);
  if (!app.ok()) return FailStart(app.status());
  // For a script that started the process with port 0, and for a person.
  std::puts(ipp::StdoutLine("listening", {{"grpc", absl::StrCat((*app)->grpc_port())},
                                          {"webhooks", absl::StrCat((*app)->webhook_port())},
                                          {"admin", absl::StrCat((*app)->admin_port())}})
                .c_str());
  std::fflush(stdout);
  ipp::LogInfo("started", {{"version", IPP_VERSION}, {"listen", config.listen()}});

  const int number = AwaitEnd(signals, config, app->get());
  ipp::LogInfo("draining", {{"signal", strsignal(number)}});
  // A second signal ends the process at once. The signals that do not ask for an end stay blocked.
  sigset_t ends;
  sigemptyset(&ends);
  for (const int end : {SIGTERM, SIGINT}) {
    signal(end, SIG_DFL);
    sigaddset(&ends, end);
  }
  pthread_sigmask(SIG_UNBLOCK, &ends, nullptr);
  (*app)->Drain();
  app->reset();
  ipp::LogInfo("stopped");
  ipp::FlushLog(kLogLimit);
  return kDrained;
}

}  // namespace

int main(int argc, char** argv) {
  // Before any thread is started: all threads inherit the mask, and only sigwait takes the signals.
  const sigset_t signals = AwaitedSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  RaiseFileLimit();
  LetThreadsFinishTheirTurn();
  signal(SIGXFSZ, SIG_IGN);  // at the file size limit a write fails, as on a full disk

  Flags flags;
  if (const std::optional<int> code = ParseFlags(argc, argv, &flags)) return *code;
  const bool serve = !flags.check_config && !flags.backup && !flags.copy_store;
  // A task may be ended in the usual way.
  if (!serve) pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  const auto fail = serve ? &FailStart : &FailTask;
  if (absl::Status format = SetEarlyLogFormat(); !format.ok()) return fail(format);
  const absl::StatusOr<ipp::config::Config> config = LoadConfig(flags);
  if (!config.ok()) return fail(config.status());
  if (absl::Status log = SetUpLog(*config); !log.ok()) return fail(log);
  if (serve) return Serve(*config, flags.restored, signals);

  absl::Status done;
  if (flags.check_config) {
    std::vector<std::string> warnings;
    done = ipp::App::Check(*config, &warnings);
    for (const std::string& warning : warnings) {
      std::fprintf(stderr, "warning: %s\n", warning.c_str());
    }
  }
  if (flags.backup) done = ipp::BackUpStore(*config, *flags.backup);
  if (flags.copy_store) done = ipp::CopyStore(*config, *flags.copy_store);
  if (!done.ok()) return FailTask(done);
  if (flags.check_config) std::puts("the configuration is good");
  return kDrained;
}
