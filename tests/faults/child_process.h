#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace ipp::faults {

// A program that runs as a child, with stdout and stderr in one file. Ends with its owner, however
// that one ends: by the destructor (SIGKILL), or by the kernel when the thread that started it is
// gone. So start children from the main thread only. Not thread-safe.
class ChildProcess {
 public:
  // `arguments[0]` is the program's path. The log is appended to. NOT_FOUND: cannot be executed.
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(
      const std::vector<std::string>& arguments, const std::string& log_file);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  bool Running();
  void Signal(int signal_number) const;

  // Waits for the end. DEADLINE_EXCEEDED: it still runs. The value is the exit code, or minus the
  // signal that ended it.
  absl::StatusOr<int> Wait(absl::Duration limit);
  // SIGKILL, and waits until nothing of it is left (ports and locks are free).
  void Kill();

 private:
  ChildProcess(pid_t pid, int pid_fd) : pid_(pid), pid_fd_(pid_fd) {}

  const pid_t pid_;
  const int pid_fd_;  // readable once the child has ended
  bool reaped_ = false;
  int result_ = 0;
};

}  // namespace ipp::faults
