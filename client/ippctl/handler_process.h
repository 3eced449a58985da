#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace ipp::ippctl {

// A command of the user's that handles one event: `/bin/sh -c COMMAND`, with the event on standard
// input. Ended with the object, if it still runs.
class HandlerProcess {
 public:
  // `variables` are added to the environment. The error is a sentence for the user.
  static absl::StatusOr<HandlerProcess> Start(
      const std::string& command, const std::string& input,
      const std::vector<std::pair<std::string, std::string>>& variables);
  HandlerProcess(HandlerProcess&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)), descriptor_(std::exchange(other.descriptor_, -1)) {}
  HandlerProcess& operator=(HandlerProcess&&) = delete;
  ~HandlerProcess();

  // Waits for its end, at most `limit`. True: it has ended, and exit_code() says how.
  bool WaitFor(absl::Duration limit);
  // 128 and the signal's number where a signal ended it, as in a shell.
  int exit_code() const { return exit_code_; }

 private:
  HandlerProcess(pid_t pid, int descriptor) : pid_(pid), descriptor_(descriptor) {}

  pid_t pid_;
  int descriptor_;  // becomes readable when the process ends (pidfd_open(2))
  int exit_code_ = 0;
};

}  // namespace ipp::ippctl
