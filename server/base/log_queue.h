#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/time/time.h"

namespace ipp {

// Writes lines to a file descriptor on a thread of its own, so that no caller waits for the log's
// reader or for the disk. A line is lost, and counted, if there is no room in memory for it or if
// write() fails (a full disk, a pipe whose reader has closed it). A quarter of the room is for
// audit lines alone, so that they are the last to be lost. When lines can be written again, one
// line says how many were lost.
//
// A descriptor that is a pipe or a terminal is written only when poll() says that it has room. A
// write to a file may block; only this thread waits for it. Thread-safe.
class LogQueue {
 public:
  enum class Kind { kLine, kAudit };

  struct State {
    int64_t lost_lines = 0;  // since the start; without audit lines
    int64_t lost_audit_lines = 0;
    // How long the oldest waiting line has waited; zero if no line waits.
    absl::Duration waiting = absl::ZeroDuration();
  };

  // Makes the line that says how many lines were lost; it ends with a line break.
  using LossLine = std::string (*)(int64_t lines, int64_t audit_lines);

  // `fd` is not closed and must stay open. `room`: bytes of lines that wait.
  LogQueue(int fd, LossLine loss_line, size_t room = 4 * 1024 * 1024);
  // Waits for at most a second until the pushed lines are written, and drops the rest.
  ~LogQueue();
  LogQueue(const LogQueue&) = delete;
  LogQueue& operator=(const LogQueue&) = delete;

  // `line` ends with a line break. Never blocks.
  void Push(Kind kind, std::string line);
  // Waits until every line that was pushed before is written or lost. False if that takes longer
  // than `limit`.
  bool Flush(absl::Duration limit);
  State state() const;

 private:
  struct Shared;
  // Shared with the thread: a write that hangs must not keep this from being destroyed.
  const std::shared_ptr<Shared> shared_;
};

}  // namespace ipp
