#include "server/base/log_queue.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
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
    LogQueue queue(fd());
    for (int i = 0; i < 3; ++i) queue.Push(Kind::kLine, absl::StrCat("line ", i, "\n"));
    EXPECT_TRUE(queue.Flush(absl::Seconds(30)));
    EXPECT_EQ(queue.state().waiting, absl::ZeroDuration());
    queue.Push(Kind::kAudit, "the last\n");
  }
  CloseWriter();
  EXPECT_THAT(ReadToTheEnd(), ElementsAre("line 0", "line 1", "line 2", "the last"));
}

// Nobody reads: no caller waits, audit lines are the last to be lost, and what was lost is told.
TEST_F(LogQueueTest, LosesOtherLinesBeforeAuditLinesAndSaysSo) {
  constexpr size_t kRoom = 16 * 1024;
  const std::string filling(100, 'x');
  std::vector<std::string> lines;
  LogQueue::State state;
  {
    LogQueue queue(fd(), kRoom);
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
  int64_t last = -1, others = 0, audit = 0, told = 0, told_audit = 0;
  for (const std::string& line : lines) {
    if (absl::StartsWith(line, "audit ")) {
      EXPECT_EQ(line, absl::StrCat("audit ", audit++));
    } else if (absl::StrContains(line, "log lines were lost")) {
      told += NumberAfter(line, " lines=");
      told_audit += NumberAfter(line, " audit_lines=");
    } else if (absl::EndsWith(line, filling) && !absl::StartsWith(line, "more")) {
      const int64_t number = NumberAfter(line, "");
      EXPECT_GT(number, last);
      last = number;
      ++others;
    }
  }
  EXPECT_EQ(others, 1000 - state.lost_lines);
  EXPECT_EQ(audit, 10);
  EXPECT_EQ(told, state.lost_lines);
  EXPECT_EQ(told_audit, state.lost_audit_lines);
  EXPECT_EQ(lines.back(), "after");
}

TEST_F(LogQueueTest, EndsAlthoughNobodyReads) {
  LogQueue queue(fd());
  for (int i = 0; i < 100; ++i) queue.Push(Kind::kLine, std::string(200, 'x') + "\n");
  EXPECT_FALSE(queue.Flush(absl::ZeroDuration()));
}

TEST_F(LogQueueTest, EndsWhenTheReaderHasGone) {
  signal(SIGPIPE, SIG_IGN);
  CloseReader();
  LogQueue queue(fd());
  for (int i = 0; i < 100; ++i) queue.Push(Kind::kLine, std::string(200, 'x') + "\n");
  EXPECT_TRUE(queue.Flush(absl::Seconds(30)));
}

// Longer than what a pipe takes at once.
TEST_F(LogQueueTest, WritesALongLineWhole) {
  const std::string line(100'000, 'x');
  std::vector<std::string> lines;
  std::thread reader([&] { lines = ReadToTheEnd(); });
  {
    LogQueue queue(fd());
    queue.Push(Kind::kLine, line + "\n");
    EXPECT_TRUE(queue.Flush(absl::Minutes(5)));
  }
  CloseWriter();
  reader.join();
  EXPECT_THAT(lines, ElementsAre(line));
}

}  // namespace
}  // namespace ipp
