#include "server/base/log_queue.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <deque>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "server/base/mutex.h"
#include "server/base/this_thread.h"

namespace ipp {
namespace {

using std::chrono::steady_clock;

constexpr absl::Duration kPatienceAtTheEnd = absl::Seconds(1);
// How long poll() waits before the thread looks whether it is to end.
constexpr int kPollMs = 100;

}  // namespace

struct LogQueue::Shared {
  struct Line {
    std::string text;
    steady_clock::time_point pushed;
  };

  const int fd;
  const size_t room;
  Mutex mutex;
  CondVar changed;
  std::deque<Line> lines ABSL_GUARDED_BY(mutex);  // the first one is being written
  size_t bytes ABSL_GUARDED_BY(mutex) = 0;
  int64_t pushed ABSL_GUARDED_BY(mutex) = 0;
  int64_t written ABSL_GUARDED_BY(mutex) = 0;
  int64_t lost_lines ABSL_GUARDED_BY(mutex) = 0;
  int64_t lost_audit_lines ABSL_GUARDED_BY(mutex) = 0;
  int64_t told_lines ABSL_GUARDED_BY(mutex) = 0;  // of the lost ones
  int64_t told_audit_lines ABSL_GUARDED_BY(mutex) = 0;
  bool stopping ABSL_GUARDED_BY(mutex) = false;
  bool ended ABSL_GUARDED_BY(mutex) = false;  // the thread uses `fd` no more

  Shared(int f, size_t r) : fd(f), room(r) {}

  void Run();
  bool Stopping() {
    MutexLock lock(&mutex);
    return stopping;
  }
  void Write(absl::string_view text);
  std::string LossLine() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
};

// Empty: nothing was lost since the last one.
std::string LogQueue::Shared::LossLine() {
  const int64_t lines = lost_lines - std::exchange(told_lines, lost_lines);
  const int64_t audit = lost_audit_lines - std::exchange(told_audit_lines, lost_audit_lines);
  if (lines == 0 && audit == 0) return "";
  return absl::StrCat(absl::FormatTime("%Y-%m-%d%ET%H:%M:%E3SZ", absl::Now(), absl::UTCTimeZone()),
                      " warning log lines were lost: nobody read the log lines=", lines,
                      " audit_lines=", audit, "\n");
}

void LogQueue::Shared::Write(absl::string_view text) {
  while (!text.empty()) {
    pollfd room_for_more{fd, POLLOUT, 0};
    if (poll(&room_for_more, 1, kPollMs) == 0) {
      if (Stopping()) return;
      continue;
    }
    // A pipe that has room takes this much without blocking.
    const ssize_t took = write(fd, text.data(), std::min<size_t>(text.size(), PIPE_BUF));
    if (took > 0) {
      text.remove_prefix(static_cast<size_t>(took));
    } else if (errno != EINTR && errno != EAGAIN) {
      return;  // nobody will ever read it
    }
  }
}

void LogQueue::Shared::Run() {
  std::string text;
  while (true) {
    {
      MutexLock lock(&mutex);
      while (lines.empty() && !stopping) changed.Wait(&mutex);
      if (stopping) {
        ended = true;
        changed.SignalAll();
        return;
      }
      // Not taken out before it is written: it needs room until then.
      text = lines.front().text;
    }
    Write(text);
    text.clear();
    {
      MutexLock lock(&mutex);
      bytes -= lines.front().text.size();
      lines.pop_front();
      ++written;
      if (bytes < room / 2) text = LossLine();
      changed.SignalAll();
    }
    Write(text);
  }
}

LogQueue::LogQueue(int fd, size_t room) : shared_(std::make_shared<Shared>(fd, room)) {
  std::thread([shared = shared_] {
    NameThisThread("log");
    shared->Run();
  }).detach();
}

LogQueue::~LogQueue() {
  Flush(kPatienceAtTheEnd);
  const auto end = steady_clock::now() + absl::ToChronoNanoseconds(kPatienceAtTheEnd);
  MutexLock lock(&shared_->mutex);
  shared_->stopping = true;
  shared_->changed.SignalAll();
  // Longer only if a write to a file hangs.
  while (!shared_->ended && steady_clock::now() < end) {
    shared_->changed.WaitFor(&shared_->mutex, end - steady_clock::now());
  }
}

void LogQueue::Push(Kind kind, std::string line) {
  MutexLock lock(&shared_->mutex);
  const bool audit = kind == Kind::kAudit;
  const size_t room = audit ? shared_->room : shared_->room / 4 * 3;
  if (shared_->bytes + line.size() > room) {
    ++(audit ? shared_->lost_audit_lines : shared_->lost_lines);
    return;
  }
  shared_->bytes += line.size();
  ++shared_->pushed;
  shared_->lines.push_back({std::move(line), steady_clock::now()});
  if (shared_->lines.size() == 1) shared_->changed.SignalAll();
}

bool LogQueue::Flush(absl::Duration patience) {
  const auto end = steady_clock::now() + absl::ToChronoNanoseconds(patience);
  MutexLock lock(&shared_->mutex);
  const int64_t wanted = shared_->pushed;
  while (shared_->written < wanted) {
    const auto left = end - steady_clock::now();
    if (left.count() <= 0) return false;
    shared_->changed.WaitFor(&shared_->mutex, left);
  }
  return true;
}

LogQueue::State LogQueue::state() const {
  MutexLock lock(&shared_->mutex);
  State state{.lost_lines = shared_->lost_lines, .lost_audit_lines = shared_->lost_audit_lines};
  if (!shared_->lines.empty()) {
    state.waiting = absl::FromChrono(steady_clock::now() - shared_->lines.front().pushed);
  }
  return state;
}

}  // namespace ipp
