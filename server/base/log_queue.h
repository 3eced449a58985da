#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/time/time.h"

namespace ipp {

// Writes lines to a file descriptor on a thread of its own. No caller waits for whoever reads the
// log: what finds no room in memory is lost, and counted. A quarter of the room is for audit lines
// alone, so that they are the last to be lost. Once lines can be written again, one line says how
// many were lost.
//
// A descriptor that is a pipe or a terminal is written only when poll() says that it has room. A
// write to a file may still take its time; nobody waits for that either. Thread-safe.
class LogQueue {
 public:
  enum class Kind { kLine, kAudit };

  struct State {
    int64_t lost_lines = 0;  // since the start
    int64_t lost_audit_lines = 0;
    // For how long the oldest line that waits has waited; zero: nothing waits.
    absl::Duration waiting = absl::ZeroDuration();
  };

  // `fd` is not closed and must stay open. `room`: bytes of lines that wait.
  explicit LogQueue(int fd, size_t room = 4 * 1024 * 1024);
  // Waits for at most a second until what was pushed is written, and drops the rest.
  ~LogQueue();
  LogQueue(const LogQueue&) = delete;
  LogQueue& operator=(const LogQueue&) = delete;

  // `line` ends with a line break. Never blocks.
  void Push(Kind kind, std::string line);
  // Waits until everything that was pushed before is written. False: it is not, `patience` later.
  bool Flush(absl::Duration patience);
  State state() const;

 private:
  struct Shared;
  // Shared with the thread: a write that hangs must not keep this from being destroyed.
  const std::shared_ptr<Shared> shared_;
};

}  // namespace ipp
