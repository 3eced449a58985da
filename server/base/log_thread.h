#pragma once

#include "absl/time/time.h"
#include "server/base/log_queue.h"

// A program whose callers must not wait for whoever reads its log (base/log.h).
namespace ipp {

// From now on a thread writes the lines (base/log_queue.h). Call it once, before there are other
// threads.
void StartLogThread();
// Waits until all lines so far are written, for at most `patience`.
void FlushLog(absl::Duration patience);
// What became of the lines. Nothing is lost without the thread.
LogQueue::State LogState();

}  // namespace ipp
