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
#include "absl/strings/string_view.h"
#include "server/base/mutex.h"
#include "server/base/this_thread.h"

namespace ipp {
namespace {

using std::chrono::steady_clock;

constexpr absl::Duration kWaitAtTheEnd = absl::Seconds(1);
// How long poll() waits before the thread checks whether it must end.
constexpr int kPollMs = 100;

}  // namespace

struct LogQueue::Shared {
  struct Line {
    Kind kind;
    std::string text;
    steady_clock::time_point pushed;
  };

  const int fd;
  const LossLine loss_line;
  const size_t room;
  Mutex mutex;
  CondVar changed;
  std::deque<Line> lines ABSL_GUARDED_BY(mutex);  // the first ones are being written
  size_t bytes ABSL_GUARDED_BY(mutex) = 0;
  int64_t pushed ABSL_GUARDED_BY(mutex) = 0;
  int64_t done ABSL_GUARDED_BY(mutex) = 0;  // written or lost
  int64_t lost_lines ABSL_GUARDED_BY(mutex) = 0;
  int64_t lost_audit_lines ABSL_GUARDED_BY(mutex) = 0;
  // The losses that a line in the log has reported.
  int64_t reported_lines ABSL_GUARDED_BY(mutex) = 0;
  int64_t reported_audit_lines ABSL_GUARDED_BY(mutex) = 0;
  bool stopping ABSL_GUARDED_BY(mutex) = false;
  bool ended ABSL_GUARDED_BY(mutex) = false;  // the thread does not use `fd` any more

  // Used by the thread only: the last write ended in the middle of a line.
  bool line_is_cut = false;

  Shared(int f, LossLine l, size_t r) : fd(f), loss_line(l), room(r) {}

  void Run();
  bool Stopping() {
    MutexLock lock(&mutex);
    return stopping;
  }
  // Returns how many bytes were written: all, unless the file fails or the queue is to end.
  size_t Write(absl::string_view text);
  size_t WriteBytes(absl::string_view text);
  void WriteLossLine();
};

size_t LogQueue::Shared::Write(absl::string_view text) {
  if (line_is_cut) {
    if (WriteBytes("\n") == 0) return 0;
    line_is_cut = false;
  }
  const size_t written = WriteBytes(text);
  line_is_cut = written > 0 && text[written - 1] != '\n';
  return written;
}

size_t LogQueue::Shared::WriteBytes(absl::string_view text) {
  size_t written = 0;
  while (written < text.size()) {
    pollfd writable{fd, POLLOUT, 0};
    const int ready = poll(&writable, 1, kPollMs);
    if (ready < 0 && errno != EINTR) break;
    if (ready <= 0) {
      if (Stopping()) break;
      continue;
    }
    // A pipe that has room takes this much without blocking.
    const ssize_t took =
        write(fd, text.data() + written, std::min<size_t>(text.size() - written, PIPE_BUF));
    if (took > 0) {
      written += static_cast<size_t>(took);
    } else if (took == 0 || (errno != EINTR && errno != EAGAIN)) {
      break;
    }
  }
  return written;
}

// Says how many lines were lost since the last such line. No-op if none was lost.
void LogQueue::Shared::WriteLossLine() {
  int64_t lines = 0, audit_lines = 0;
  {
    MutexLock lock(&mutex);
    if (bytes >= room / 2) return;  // more may be lost soon
    lines = lost_lines - reported_lines;
    audit_lines = lost_audit_lines - reported_audit_lines;
  }
  if (lines == 0 && audit_lines == 0) return;
  const std::string line = loss_line(lines, audit_lines);
  if (Write(line) < line.size()) return;
  MutexLock lock(&mutex);
  reported_lines += lines;
  reported_audit_lines += audit_lines;
}

void LogQueue::Shared::Run() {
  std::string text;
  while (true) {
    text.clear();
    size_t count = 0;
    {
      MutexLock lock(&mutex);
      while (lines.empty() && !stopping) changed.Wait(&mutex);
      if (stopping) {
        ended = true;
        changed.SignalAll();
        return;
      }
      // They stay in the queue until they are written, since they take up room until then. As many
      // as a pipe takes at once; one, if a loss is to be reported after it.
      const bool loss = lost_lines > reported_lines || lost_audit_lines > reported_audit_lines;
      do {
        text += lines[count++].text;
      } while (!loss && count < lines.size() && text.size() + lines[count].text.size() <= PIPE_BUF);
    }
    const size_t written = Write(text);
    {
      MutexLock lock(&mutex);
      size_t end = 0;
      for (; count > 0; --count) {
        const Line& line = lines.front();
        end += line.text.size();
        if (end > written) ++(line.kind == Kind::kAudit ? lost_audit_lines : lost_lines);
        bytes -= line.text.size();
        lines.pop_front();
        ++done;
      }
      changed.SignalAll();
    }
    if (written == text.size()) WriteLossLine();
  }
}

LogQueue::LogQueue(int fd, LossLine loss_line, size_t room)
    : shared_(std::make_shared<Shared>(fd, loss_line, room)) {
  std::thread([shared = shared_] {
    NameThisThread("log");
    shared->Run();
  }).detach();
}

LogQueue::~LogQueue() {
  Flush(kWaitAtTheEnd);
  const auto end = steady_clock::now() + absl::ToChronoNanoseconds(kWaitAtTheEnd);
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
  shared_->lines.push_back({kind, std::move(line), steady_clock::now()});
  if (shared_->lines.size() == 1) shared_->changed.SignalAll();
}

bool LogQueue::Flush(absl::Duration limit) {
  const auto end = steady_clock::now() + absl::ToChronoNanoseconds(limit);
  MutexLock lock(&shared_->mutex);
  const int64_t wanted = shared_->pushed;
  while (shared_->done < wanted) {
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
