#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/app.h"
#include "server/base/error.h"
#include "server/base/log.h"
#include "server/config/config.h"

namespace {

constexpr char kHelp[] =
    R"(ipp-gateway: Kustom's In-Person Payments over gRPC

usage: ipp-gateway --config FILE [--check-config] [--listen HOST:PORT] [--log-level LEVEL]

  --config FILE        the configuration (YAML); every key is described in
                       server/config/config.proto and deploy/gateway.example.yaml
  --check-config       check the configuration and the files that it names, then exit
  --listen HOST:PORT   overrides `listen`
  --log-level LEVEL    overrides `log_level`: debug, info, warning, error, off
  --version            print the version
  --help               print this

Environment: IPP_<KEY> overrides a key, two underscores for a dot (IPP_UPSTREAM__BASE_URL).
Exit codes: 0 drained after SIGTERM or SIGINT, 1 start-up failed, 2 bad usage.
)";

enum ExitCode { kDrained = 0, kStartFailed = 1, kBadUsage = 2 };

struct Flags {
  std::string config;
  bool check_config = false;
  std::optional<std::string> listen;
  std::optional<std::string> log_level;
};

// The exit code, when the process ends here.
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
    const bool known = name == "--config" || name == "--listen" || name == "--log-level";
    if (known && !value && i + 1 < argc) value = argv[++i];
    if (!known || !value) {
      std::fprintf(stderr, "ipp-gateway: %s: %s; see --help\n", name.c_str(),
                   known ? "needs a value" : "no such flag");
      return kBadUsage;
    }
    if (name == "--config") flags->config = *value;
    if (name == "--listen") flags->listen = *value;
    if (name == "--log-level") flags->log_level = *value;
  }
  if (!flags->config.empty()) return std::nullopt;
  std::fputs("ipp-gateway: --config is required; see --help\n", stderr);
  return kBadUsage;
}

absl::StatusOr<ipp::config::Config> LoadConfig(const Flags& flags) {
  // A flag is one more layer over the environment.
  std::map<std::string, std::string> overrides = ipp::config::IppEnvironment();
  if (flags.listen) overrides["IPP_LISTEN"] = *flags.listen;
  if (flags.log_level) overrides["IPP_LOG_LEVEL"] = *flags.log_level;
  return ipp::config::Load(flags.config, overrides);
}

// The soft limit is often 1,024, for programs that use select(); none here does.
void RaiseFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int FailStart(const absl::Status& status) {
  std::fprintf(stderr, "ipp-gateway: %s\n", std::string(status.message()).c_str());
  return kStartFailed;
}

}  // namespace

int main(int argc, char** argv) {
  // Before any thread is: all inherit the mask, and only sigwait below takes the signal.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  RaiseFileLimit();
  signal(SIGXFSZ, SIG_IGN);  // a file at its size limit is an error of the write, as a full disk is

  Flags flags;
  if (const std::optional<int> code = ParseFlags(argc, argv, &flags)) return *code;
  const absl::StatusOr<ipp::config::Config> config = LoadConfig(flags);
  if (!config.ok()) return FailStart(config.status());
  if (absl::Status level = ipp::SetLogLevel(config->log_level()); !level.ok()) {
    return FailStart(level);
  }
  if (flags.check_config) {
    const absl::Status status = ipp::App::Check(*config);
    if (!status.ok()) return FailStart(status);
    std::puts("the configuration is good");
    return kDrained;
  }

  absl::StatusOr<std::unique_ptr<ipp::App>> app = ipp::App::Start(*config);
  if (!app.ok()) return FailStart(app.status());
  // For whoever started it with port 0, and for a person.
  std::printf("listening grpc=%d webhooks=%d admin=%d\n", (*app)->grpc_port(),
              (*app)->webhook_port(), (*app)->admin_port());
  std::fflush(stdout);
  ipp::LogInfo("started", {{"version", IPP_VERSION}, {"listen", config->listen()}});

  int signal_number = 0;
  sigwait(&signals, &signal_number);
  ipp::LogInfo("draining", {{"signal", strsignal(signal_number)}});
  // A second signal does not wait.
  signal(SIGTERM, SIG_DFL);
  signal(SIGINT, SIG_DFL);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  (*app)->Drain();
  app->reset();
  ipp::LogInfo("stopped");
  return kDrained;
}
