#include "client/ippctl/handler_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

extern char** environ;

namespace ipp::ippctl {
namespace {

// How long a command that is ended has to clean up.
constexpr absl::Duration kGrace = absl::Seconds(5);

absl::Status Trouble(const char* what) {
  return absl::UnavailableError(absl::StrCat("cannot ", what, ": ", std::strerror(errno)));
}

// A descriptor from which `text` can be read. A file in memory, since a pipe takes 64 KiB only.
absl::StatusOr<int> Readable(const std::string& text) {
  const int file = memfd_create("event", MFD_CLOEXEC);
  if (file < 0) return Trouble("hand over the event");
  for (size_t done = 0; done < text.size();) {
    const ssize_t wrote = write(file, text.data() + done, text.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) {
      close(file);
      return Trouble("hand over the event");
    }
    done += static_cast<size_t>(wrote);
  }
  lseek(file, 0, SEEK_SET);
  return file;
}

std::vector<std::string> Environment(
    const std::vector<std::pair<std::string, std::string>>& variables) {
  std::vector<std::string> all;
  for (const auto& [name, value] : variables) all.push_back(absl::StrCat(name, "=", value));
  const size_t own = all.size();
  for (char** entry = environ; *entry != nullptr; ++entry) {
    bool replaced = false;
    for (size_t i = 0; i < own; ++i) {
      replaced = replaced || absl::StartsWith(*entry, absl::StrCat(variables[i].first, "="));
    }
    if (!replaced) all.emplace_back(*entry);
  }
  return all;
}

}  // namespace

absl::StatusOr<HandlerProcess> HandlerProcess::Start(
    const std::string& command, const std::string& input,
    const std::vector<std::pair<std::string, std::string>>& variables) {
  const absl::StatusOr<int> file = Readable(input);
  if (!file.ok()) return file.status();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, *file, STDIN_FILENO);
  std::string shell = "/bin/sh", flag = "-c", text = command;
  char* arguments[] = {shell.data(), flag.data(), text.data(), nullptr};
  std::vector<std::string> environment = Environment(variables);
  std::vector<char*> entries;
  for (std::string& entry : environment) entries.push_back(entry.data());
  entries.push_back(nullptr);
  // This program blocks the signals that it waits for; the command gets them as usual.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, as_usual;
  sigemptyset(&none);
  sigemptyset(&as_usual);
  sigaddset(&as_usual, SIGPIPE);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &as_usual);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t pid = -1;
  const int failed =
      posix_spawn(&pid, shell.c_str(), &actions, &attributes, arguments, entries.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  close(*file);
  if (failed != 0) {
    errno = failed;
    return Trouble("run the command");
  }
  const int descriptor = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  HandlerProcess process(pid, descriptor);
  if (descriptor < 0) return Trouble("wait for the command");
  return process;
}

HandlerProcess::~HandlerProcess() {
  if (pid_ > 0) {
    kill(pid_, SIGTERM);
    if (!WaitFor(kGrace)) {
      kill(pid_, SIGKILL);
      WaitFor(absl::InfiniteDuration());
    }
  }
  if (descriptor_ >= 0) close(descriptor_);
}

bool HandlerProcess::WaitFor(absl::Duration limit) {
  if (pid_ < 0) return true;
  pollfd end = {.fd = descriptor_, .events = POLLIN, .revents = 0};
  const int milliseconds =
      limit == absl::InfiniteDuration() ? -1 : static_cast<int>(absl::ToInt64Milliseconds(limit));
  if (poll(&end, 1, milliseconds) <= 0) return false;
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return true;
}

}  // namespace ipp::ippctl
