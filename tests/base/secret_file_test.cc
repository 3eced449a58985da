#include "server/base/secret_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/fake_clock.h"

namespace ipp {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class SecretFileTest : public ::testing::Test {
 protected:
  SecretFileTest() {
    std::string name = testing::TempDir() + "secretXXXXXX";
    directory_ = mkdtemp(name.data());
  }
  ~SecretFileTest() override { std::filesystem::remove_all(directory_); }

  std::string Path(const std::string& name = "secret") const { return directory_ / name; }
  void Write(const std::string& text, const std::string& name = "secret") const {
    std::ofstream(Path(name), std::ios::binary) << text;
  }
  // As a new file in place of the old one.
  void Replace(const std::string& text) const {
    Write(text, "new");
    std::filesystem::rename(Path("new"), Path());
  }
  std::unique_ptr<SecretFile> Open() {
    auto file = SecretFile::Open(Path(), &clock_);
    EXPECT_TRUE(file.ok()) << file.status();
    return *std::move(file);
  }

  std::filesystem::path directory_;
  FakeClock clock_;
};

TEST_F(SecretFileTest, GivesTheLinesThatMeanSomething) {
  Write("# two, while one is replaced\n\n  whsec_a\t\r\n#whsec_old\nwhsec_b");
  const auto file = Open();
  EXPECT_THAT(*file->lines(), ElementsAre("whsec_a", "whsec_b"));
  EXPECT_EQ(file->value(), "whsec_a");
  EXPECT_EQ(file->path(), Path());
}

TEST_F(SecretFileTest, IsReadAtOnceWhenThatIsAskedFor) {
  Write("one");
  const auto file = Open();
  const SecretFile::Lines before = file->lines();
  EXPECT_TRUE(file->Reread().ok());
  EXPECT_EQ(file->lines(), before);  // the same object
  Replace("two");
  EXPECT_EQ(file->value(), "one");  // looked at a moment ago
  EXPECT_TRUE(file->Reread().ok());
  EXPECT_EQ(file->value(), "two");
  // Also when neither time, size nor inode tell that it has changed.
  struct stat info;
  ASSERT_EQ(stat(Path().c_str(), &info), 0);
  Write("six");
  const timespec times[] = {info.st_atim, info.st_mtim};
  ASSERT_EQ(utimensat(AT_FDCWD, Path().c_str(), times, 0), 0);
  clock_.Advance(absl::Seconds(2));
  EXPECT_EQ(file->value(), "two");
  EXPECT_TRUE(file->Reread().ok());
  EXPECT_EQ(file->value(), "six");
}

TEST_F(SecretFileTest, KeepsItsValueWhenItCannotBeReadAgain) {
  Write("one");
  const auto file = Open();
  std::filesystem::remove(Path());
  EXPECT_EQ(std::string(file->Reread().message()), Path() + ": no such file");
  EXPECT_EQ(file->value(), "one");
  Write(" \n");
  EXPECT_EQ(std::string(file->Reread().message()), Path() + ": empty");
  EXPECT_EQ(file->value(), "one");
  Write("two");
  clock_.Advance(absl::Seconds(2));
  EXPECT_EQ(file->value(), "two");
}

absl::Status EvenLines(const std::vector<std::string>& lines) {
  return lines.size() % 2 == 0 ? absl::OkStatus() : absl::InvalidArgumentError("odd");
}

// What would be refused at the start is not taken later either.
TEST_F(SecretFileTest, KeepsTheOldValueWhereTheCheckRefusesTheNewOne) {
  Write("one");
  EXPECT_EQ(std::string(SecretFile::Open(Path(), &clock_, &EvenLines).status().message()),
            Path() + ": odd");
  Write("one\ntwo");
  const auto file = SecretFile::Open(Path(), &clock_, &EvenLines).value();
  Replace("three");
  clock_.Advance(absl::Seconds(2));
  EXPECT_THAT(*file->lines(), ElementsAre("one", "two"));
  Replace("four\nfive");
  clock_.Advance(absl::Seconds(2));
  EXPECT_THAT(*file->lines(), ElementsAre("four", "five"));
}

struct UnusableRow {
  std::string name;
  std::string text;
  std::string error;
};

void PrintTo(const UnusableRow& row, std::ostream* out) { *out << row.name; }

class UnusableSecret : public SecretFileTest, public ::testing::WithParamInterface<UnusableRow> {};

TEST_P(UnusableSecret, IsRefusedNamingThePathAndNotTheValue) {
  Write(GetParam().text);
  const absl::Status status = SecretFile::Open(Path(), &clock_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(std::string(status.message()), Path() + ": " + GetParam().error);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, UnusableSecret,
    ::testing::Values(UnusableRow{"Empty", "", "empty"}, UnusableRow{"Blank", " \n\t\r\n", "empty"},
                      UnusableRow{"CommentOnly", "# later\n", "empty"},
                      UnusableRow{"TooLarge", std::string(65 * 1024, 'x'), "larger than 64 KiB"}),
    [](const auto& info) { return info.param.name; });

TEST_F(SecretFileTest, ThatIsMissingIsNotFound) {
  const absl::Status status = SecretFile::Open(Path(), &clock_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr(Path()));
}

TEST_F(SecretFileTest, ThatIsNoFileIsRefused) {
  std::filesystem::create_directory(Path("d"));
  EXPECT_EQ(SecretFile::Open(Path("d"), &clock_).status().code(),
            absl::StatusCode::kFailedPrecondition);
  ASSERT_EQ(mkfifo(Path("pipe").c_str(), 0600), 0);
  EXPECT_EQ(SecretFile::Open(Path("pipe"), &clock_).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(SecretFileTest, MayBeAsLargeAsItSays) {
  Write(std::string(64 * 1024, 'x'));
  EXPECT_EQ(Open()->value().size(), 64 * 1024);
}

TEST_F(SecretFileTest, IsLookedAtOnceASecond) {
  Write("old");
  const auto file = Open();
  Replace("new");
  clock_.Advance(absl::Milliseconds(999));
  EXPECT_EQ(file->value(), "old");
  clock_.Advance(absl::Milliseconds(1));
  EXPECT_EQ(file->value(), "new");
}

TEST_F(SecretFileTest, IsReadAgainWhenItWasWrittenInPlace) {
  Write("old");
  const auto file = Open();
  Write("longer");
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(file->value(), "longer");
}

TEST_F(SecretFileTest, IsReadAgainWhenASymlinkWasSwapped) {
  std::filesystem::create_directory(Path("v1"));
  std::filesystem::create_directory(Path("v2"));
  Write("old", "v1/key");
  Write("new", "v2/key");
  std::filesystem::create_symlink("v1", Path("data"));
  std::filesystem::create_symlink("data/key", Path());
  const auto file = Open();
  EXPECT_EQ(file->value(), "old");
  std::filesystem::create_symlink("v2", Path("data.new"));
  std::filesystem::rename(Path("data.new"), Path("data"));
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(file->value(), "new");
}

TEST_F(SecretFileTest, KeepsTheOldValueAndComplainsOnceUntilItIsWellAgain) {
  Write("first");
  const auto file = Open();
  const auto look = [&] {
    clock_.Advance(absl::Seconds(1));
    testing::internal::CaptureStderr();
    const std::string value = file->value();
    return std::pair{value, testing::internal::GetCapturedStderr()};
  };
  std::filesystem::remove(Path());
  const auto [missing, complaint] = look();
  EXPECT_EQ(missing, "first");
  EXPECT_THAT(complaint, HasSubstr("no such file"));
  EXPECT_THAT(complaint, Not(HasSubstr("first")));
  Write("");
  EXPECT_EQ(look(), (std::pair<std::string, std::string>("first", "")));
  Write("second");
  EXPECT_EQ(look(), (std::pair<std::string, std::string>("second", "")));
  Write("");
  const auto [empty, again] = look();
  EXPECT_EQ(empty, "second");
  EXPECT_THAT(again, HasSubstr("empty"));
}

TEST_F(SecretFileTest, IsStillLookedAtAfterTheClockWasSetBack) {
  Write("old");
  const auto file = Open();
  clock_.Advance(-absl::Hours(1));
  Replace("new");
  EXPECT_EQ(file->value(), "new");
}

}  // namespace
}  // namespace ipp
