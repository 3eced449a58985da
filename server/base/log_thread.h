#pragma once

#include "absl/time/time.h"
#include "server/base/log_queue.h"

// For a program whose calls must not wait until its log is read (base/log.h).
namespace ipp {

// From now on a thread writes the lines (base/log_queue.h). Call it once, before there are other
// threads.
void StartLogThread();
// Waits until all lines so far are written, for at most `limit`.
void FlushLog(absl::Duration limit);
// What became of the lines. Without the thread no line is lost.
LogQueue::State LogState();

}  // namespace ipp
