#include "server/files/file_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <string>

#include "server/files/memory_file.h"

namespace ipp::files {
namespace {

using ::testing::HasSubstr;

std::string Text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Watched : public ::testing::Test {
 protected:
  Watched() {
    std::string name = testing::TempDir() + "watchXXXXXX";
    directory_ = mkdtemp(name.data());
    for (const char* name : {"cert", "key"}) Write(name, "1");
  }
  ~Watched() override { std::filesystem::remove_all(directory_); }

  std::string Path(const std::string& name) const { return directory_ / name; }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(Path("new"), std::ios::binary) << text;
    std::filesystem::rename(Path("new"), Path(name));
  }
  WatchedFiles Files() {
    return WatchedFiles({.name = "tls",
                         .paths = {Path("cert"), Path("key")},
                         .take =
                             [this] {
                               ++takes_;
                               if (Text(Path("cert")) != Text(Path("key")) || !allowed_) {
                                 return absl::FailedPreconditionError(reason_);
                               }
                               return absl::OkStatus();
                             },
                         .refused = &refused_});
  }
  // Looks several times; the lines that the log has got.
  long Look(WatchedFiles& files, std::string* log) {
    testing::internal::CaptureStderr();
    for (int i = 0; i < 3; ++i) {
      const bool in_use = files.LookAgain().ok();
      EXPECT_EQ(in_use, refused_.value() == 0);
    }
    *log = testing::internal::GetCapturedStderr();
    return std::count(log->begin(), log->end(), '\n');
  }

  std::filesystem::path directory_;
  Metrics metrics_;
  Gauge& refused_ = metrics_.gauge("refused", "");
  int takes_ = 0;
  bool allowed_ = true;
  std::string reason_ = "they differ";
  std::string log_;
};

TEST_F(Watched, FilesAreTakenWhenOneChanges) {
  WatchedFiles files = Files();
  EXPECT_EQ(Look(files, &log_), 0);
  EXPECT_EQ(takes_, 0);
  Write("cert", "1");
  EXPECT_EQ(Look(files, &log_), 1) << log_;
  EXPECT_THAT(log_, HasSubstr("read again"));
  EXPECT_EQ(takes_, 1);
}

TEST_F(Watched, FilesThatCannotBeUsedAreReportedOncePerChange) {
  WatchedFiles files = Files();
  for (const char* text : {"2", "3"}) {
    Write("cert", text);
    EXPECT_EQ(Look(files, &log_), 1) << log_;
    EXPECT_THAT(log_, HasSubstr("they differ"));
    EXPECT_THAT(log_, HasSubstr("tls"));
    EXPECT_EQ(refused_.value(), 1);
  }
  std::filesystem::remove(Path("key"));
  EXPECT_EQ(Look(files, &log_), 1) << log_;
  EXPECT_EQ(refused_.value(), 1);
  Write("key", "3");
  EXPECT_EQ(Look(files, &log_), 1) << log_;
  EXPECT_THAT(log_, HasSubstr("read again"));
  EXPECT_EQ(refused_.value(), 0);
}

// A certificate that is not valid yet becomes so without a change of its file.
TEST_F(Watched, FilesThatWereRefusedAreTriedAgain) {
  WatchedFiles files = Files();
  allowed_ = false;
  Write("cert", "1");
  EXPECT_EQ(Look(files, &log_), 1) << log_;
  reason_ = "another reason";
  EXPECT_EQ(Look(files, &log_), 1) << log_;
  EXPECT_THAT(log_, HasSubstr("another reason"));
  allowed_ = true;
  EXPECT_EQ(Look(files, &log_), 1) << log_;
  EXPECT_EQ(refused_.value(), 0);
}

TEST(FileWatch, LooksAgainAndAgain) {
  std::atomic<int> looks = 0;
  std::promise<void> thrice;
  const FileWatch watch(absl::Milliseconds(1), [&] {
    if (++looks == 3) thrice.set_value();
  });
  EXPECT_EQ(thrice.get_future().wait_for(std::chrono::seconds(60)), std::future_status::ready);
}

TEST(FileWatch, EndsWithoutWaitingForItsInterval) {
  const FileWatch watch(absl::Hours(1), [] { ADD_FAILURE() << "it has looked"; });
}

TEST(MemoryFile, HoldsWhatItWasGiven) {
  const std::string large(300'000, 'x');
  const auto file = MemoryFile::Make(large);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(Text(file->path()), large);
  std::ifstream reader(file->path(), std::ios::binary);
  EXPECT_EQ(reader.get(), 'x');
  ASSERT_TRUE(file->Replace("short").ok());
  EXPECT_EQ(Text(file->path()), "short");
  // Who was reading goes on with the old content.
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(reader), {}).size(), large.size() - 1);
}

}  // namespace
}  // namespace ipp::files
