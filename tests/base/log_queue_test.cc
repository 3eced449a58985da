#include "server/base/log_queue.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace ipp {
namespace {

using Kind = LogQueue::Kind;
using ::testing::ElementsAre;

std::string LossLine(int64_t lines, int64_t audit_lines) {
  return absl::StrCat("warning log lines were lost: lines=", lines, " audit_lines=", audit_lines,
                      "\n");
}

// The number in `line` after `text`, up to the next blank.
int64_t NumberAfter(const std::string& line, const std::string& text) {
  const size_t begin = line.find(text) + text.size();
  int64_t number = 0;
  EXPECT_TRUE(absl::SimpleAtoi(line.substr(begin, line.find(' ', begin) - begin), &number)) << line;
  return number;
}

// A small pipe. One page would be too small: poll() calls it full as soon as there is a byte in it.
class LogQueueTest : public testing::Test {
 protected:
  LogQueueTest() {
    EXPECT_EQ(pipe(ends_.data()), 0);
    fcntl(ends_[1], F_SETPIPE_SZ, 8192);
  }
  ~LogQueueTest() override {
    CloseReader();
    CloseWriter();
  }
  void CloseReader() {
    if (ends_[0] >= 0) close(std::exchange(ends_[0], -1));
  }
  void CloseWriter() {
    if (ends_[1] >= 0) close(std::exchange(ends_[1], -1));
  }
  int fd() const { return ends_[1]; }
  // All lines, once the writer is closed.
  std::vector<std::string> ReadToTheEnd() {
    std::string all;
    std::array<char, 8192> some{};
    for (ssize_t got = 0; (got = read(ends_[0], some.data(), some.size())) > 0;) {
      all.append(some.data(), static_cast<size_t>(got));
    }
    std::vector<std::string> lines = absl::StrSplit(all, '\n');
    EXPECT_EQ(lines.back(), "");  // the last line is whole
    lines.pop_back();
    return lines;
  }

  std::array<int, 2> ends_{-1, -1};
};

TEST_F(LogQueueTest, WritesLinesInTheirOrder) {
  {
    LogQueue queue(fd(), &LossLine);
    for (int i = 0; i < 3; ++i) queue.Push(Kind::kLine, absl::StrCat("line ", i, "\n"));
    EXPECT_TRUE(queue.Flush(absl::Seconds(30)));
    EXPECT_EQ(queue.state().waiting, absl::ZeroDuration());
    queue.Push(Kind::kAudit, "the last\n");
  }
  CloseWriter();
  EXPECT_THAT(ReadToTheEnd(), ElementsAre("line 0", "line 1", "line 2", "the last"));
}

// While the pipe is not read no caller waits, audit lines are the last to be lost, and the losses
// are reported.
TEST_F(LogQueueTest, LosesOtherLinesBeforeAuditLinesAndSaysSo) {
  constexpr size_t kRoom = 16 * 1024;
  const std::string filling(100, 'x');
  std::vector<std::string> lines;
  LogQueue::State state;
  {
    LogQueue queue(fd(), &LossLine, kRoom);
    for (int i = 0; i < 1000; ++i) queue.Push(Kind::kLine, absl::StrCat(i, " ", filling, "\n"));
    EXPECT_FALSE(queue.Flush(absl::Milliseconds(1)));
    state = queue.state();
    EXPECT_GT(state.lost_lines, 800);
    EXPECT_EQ(state.lost_audit_lines, 0);
    EXPECT_GT(state.waiting, absl::ZeroDuration());
    for (int i = 0; i < 10; ++i) queue.Push(Kind::kAudit, absl::StrCat("audit ", i, "\n"));
    EXPECT_EQ(queue.state().lost_audit_lines, 0);
    for (int i = 0; i < 1000; ++i) queue.Push(Kind::kAudit, absl::StrCat("more ", filling, "\n"));
    state = queue.state();
    EXPECT_GT(state.lost_audit_lines, 900);

    std::thread reader([&] { lines = ReadToTheEnd(); });
    EXPECT_TRUE(queue.Flush(absl::Minutes(5)));
    queue.Push(Kind::kLine, "after\n");
    EXPECT_TRUE(queue.Flush(absl::Minutes(5)));
    CloseWriter();
    reader.join();
  }
  // In order, each whole; lines about the loss came whenever there was room again.
  int64_t last = -1, others = 0, audit = 0, reported = 0, reported_audit = 0;
  for (const std::string& line : lines) {
    if (absl::StartsWith(line, "audit ")) {
      EXPECT_EQ(line, absl::StrCat("audit ", audit++));
    } else if (absl::StrContains(line, "log lines were lost")) {
      reported += NumberAfter(line, " lines=");
      reported_audit += NumberAfter(line, " audit_lines=");
    } else if (absl::EndsWith(line, filling) && !absl::StartsWith(line, "more")) {
      const int64_t number = NumberAfter(line, "");
      EXPECT_GT(number, last);
      last = number;
      ++others;
    }
  }
  EXPECT_EQ(others, 1000 - state.lost_lines);
  EXPECT_EQ(audit, 10);
  EXPECT_EQ(reported, state.lost_lines);
  EXPECT_EQ(reported_audit, state.lost_audit_lines);
  EXPECT_EQ(lines.back(), "after");
}

TEST_F(LogQueueTest, EndsAlthoughThePipeIsNotRead) {
  LogQueue queue(fd(), &LossLine);
  for (int i = 0; i < 100; ++i) queue.Push(Kind::kLine, std::string(200, 'x') + "\n");
  EXPECT_FALSE(queue.Flush(absl::ZeroDuration()));
}

TEST_F(LogQueueTest, CountsTheLinesThatComeAfterTheReaderHasGone) {
  signal(SIGPIPE, SIG_IGN);
  CloseReader();
  LogQueue queue(fd(), &LossLine);
  for (int i = 0; i < 100; ++i) queue.Push(Kind::kLine, std::string(200, 'x') + "\n");
  for (int i = 0; i < 7; ++i) queue.Push(Kind::kAudit, "audit\n");
  EXPECT_TRUE(queue.Flush(absl::Seconds(30)));
  EXPECT_EQ(queue.state().lost_lines, 100);
  EXPECT_EQ(queue.state().lost_audit_lines, 7);
}

TEST(LogQueueOnAFullDisk, CountsEveryLine) {
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(full, 0);
  {
    LogQueue queue(full, &LossLine);
    for (int i = 0; i < 3; ++i) queue.Push(Kind::kLine, "line\n");
    queue.Push(Kind::kAudit, "audit\n");
    EXPECT_TRUE(queue.Flush(absl::Seconds(30)));
    EXPECT_EQ(queue.state().lost_lines, 3);
    EXPECT_EQ(queue.state().lost_audit_lines, 1);
  }
  close(full);
}

// A file that may not grow cuts a line in two. What can be written afterwards begins on a line of
// its own, and is followed by the loss.
TEST(LogQueueOnAFullDisk, GoesOnOnANewLineAndReportsTheLoss) {
  signal(SIGXFSZ, SIG_IGN);
  const std::string path = testing::TempDir() + "log_queue_full";
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  ASSERT_GE(file, 0);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  {
    LogQueue queue(file, &LossLine);
    rlimit small = before;
    small.rlim_cur = 10;
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    queue.Push(Kind::kLine, "fits\n");
    queue.Push(Kind::kLine, "is cut in two\n");
    queue.Push(Kind::kLine, "is lost\n");
    EXPECT_TRUE(queue.Flush(absl::Seconds(30)));
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
    EXPECT_EQ(queue.state().lost_lines, 2);
    queue.Push(Kind::kLine, "after\n");
    queue.Push(Kind::kLine, "last\n");
    EXPECT_TRUE(queue.Flush(absl::Seconds(30)));
  }
  std::array<char, 256> text{};
  const ssize_t size = pread(file, text.data(), text.size(), 0);
  close(file);
  unlink(path.c_str());
  ASSERT_GT(size, 0);
  EXPECT_EQ(std::string(text.data(), static_cast<size_t>(size)),
            "fits\nis cu\nafter\nwarning log lines were lost: lines=2 audit_lines=0\nlast\n");
}

std::atomic<int> interruptions = 0;

// poll() of the thread returns EINTR; then nothing may be written to a pipe that has no room.
TEST_F(LogQueueTest, WritesEverythingAlthoughSignalsInterruptIt) {
  struct sigaction action {};
  action.sa_handler = [](int) { ++interruptions; };
  ASSERT_EQ(sigaction(SIGUSR1, &action, nullptr), 0);
  sigset_t usr1;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  std::vector<std::string> lines;
  {
    LogQueue queue(fd(), &LossLine);
    // From now on only the queue's thread takes the signal.
    ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &usr1, nullptr), 0);
    for (int i = 0; i < 100; ++i) queue.Push(Kind::kLine, std::string(200, 'x') + "\n");
    EXPECT_FALSE(queue.Flush(absl::Milliseconds(1)));
    for (int i = 0; i < 20; ++i) {
      const int before = interruptions;
      kill(getpid(), SIGUSR1);
      while (interruptions == before) std::this_thread::yield();
    }
    std::thread reader([&] { lines = ReadToTheEnd(); });
    EXPECT_TRUE(queue.Flush(absl::Minutes(5)));
    CloseWriter();
    reader.join();
    EXPECT_EQ(queue.state().lost_lines, 0);
  }
  pthread_sigmask(SIG_UNBLOCK, &usr1, nullptr);
  EXPECT_EQ(lines.size(), 100u);
}

// Longer than what a pipe takes at once.
TEST_F(LogQueueTest, WritesALongLineWhole) {
  const std::string line(100'000, 'x');
  std::vector<std::string> lines;
  std::thread reader([&] { lines = ReadToTheEnd(); });
  {
    LogQueue queue(fd(), &LossLine);
    queue.Push(Kind::kLine, line + "\n");
    EXPECT_TRUE(queue.Flush(absl::Minutes(5)));
  }
  CloseWriter();
  reader.join();
  EXPECT_THAT(lines, ElementsAre(line));
}

}  // namespace
}  // namespace ipp
