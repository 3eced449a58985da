#include "tests/faults/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace ipp::faults {
namespace {

// Between fork and exec of a program with threads: only what is async-signal-safe.
[[noreturn]] void BecomeChild(char* const* arguments, int log, int failure, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // it ended before the line above
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  // Other threads may have sockets open that are not to outlive them here.
  constexpr unsigned kCloseOnExec = 1U << 2;  // CLOSE_RANGE_CLOEXEC
  syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, kCloseOnExec);
  execv(arguments[0], arguments);
  const int error = errno;
  [[maybe_unused]] const ssize_t told = write(failure, &error, sizeof(error));
  _exit(127);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(
    const std::vector<std::string>& arguments, const std::string& log_file) {
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const int log = open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  int failure[2];
  if (log < 0 || pipe2(failure, O_CLOEXEC) != 0) {
    return absl::InternalError(absl::StrCat(log_file, ": ", strerror(errno)));
  }
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) BecomeChild(argv.data(), log, failure[1], parent);
  close(log);
  close(failure[1]);
  // The other end closes when the program runs.
  int error = 0;
  const bool failed = pid < 0 || read(failure[0], &error, sizeof(error)) > 0;
  close(failure[0]);
  if (pid < 0) return absl::InternalError("cannot fork");
  std::unique_ptr<ChildProcess> child(
      new ChildProcess(pid, static_cast<int>(syscall(SYS_pidfd_open, pid, 0))));
  if (failed) {
    child->Kill();
    return absl::NotFoundError(absl::StrCat("cannot run ", arguments[0], ": ", strerror(error)));
  }
  return child;
}

ChildProcess::~ChildProcess() {
  Kill();
  close(pid_fd_);
}

bool ChildProcess::Running() { return !Wait(absl::ZeroDuration()).ok(); }

void ChildProcess::Signal(int signal_number) const {
  if (!reaped_) kill(pid_, signal_number);
}

absl::StatusOr<int> ChildProcess::Wait(absl::Duration limit) {
  const absl::Time end = absl::Now() + limit;
  while (!reaped_) {
    const absl::Duration left = std::max(end - absl::Now(), absl::ZeroDuration());
    pollfd ended{.fd = pid_fd_, .events = POLLIN, .revents = 0};
    const int ready = poll(&ended, 1, static_cast<int>(absl::ToInt64Milliseconds(left)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) {
      if (absl::Now() < end) continue;  // poll counts whole milliseconds
      return absl::DeadlineExceededError(absl::StrCat("process ", pid_, " still runs"));
    }
    int status = 0;
    if (waitpid(pid_, &status, 0) == pid_) {
      reaped_ = true;
      result_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }
  }
  return result_;
}

void ChildProcess::Kill() {
  Signal(SIGKILL);
  while (!Wait(absl::Seconds(60)).ok()) {
  }
}

}  // namespace ipp::faults
