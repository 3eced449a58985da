#include "server/base/secret_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
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
  EXPECT_TRUE(file->LookAgain().ok());
  EXPECT_EQ(file->lines(), before);  // the same object
  Replace("two");
  EXPECT_EQ(file->value(), "one");  // looked at a moment ago
  EXPECT_TRUE(file->LookAgain().ok());
  EXPECT_EQ(file->value(), "two");
  // Also when neither time, size nor inode tell that it has changed.
  struct stat info;
  ASSERT_EQ(stat(Path().c_str(), &info), 0);
  Write("six");
  const timespec times[] = {info.st_atim, info.st_mtim};
  ASSERT_EQ(utimensat(AT_FDCWD, Path().c_str(), times, 0), 0);
  clock_.Advance(absl::Seconds(2));
  EXPECT_EQ(file->value(), "two");
  EXPECT_TRUE(file->LookAgain().ok());
  EXPECT_EQ(file->value(), "six");
}

TEST_F(SecretFileTest, KeepsItsValueWhenItCannotBeReadAgain) {
  Write("one");
  const auto file = Open();
  std::filesystem::remove(Path());
  EXPECT_EQ(std::string(file->LookAgain().message()), Path() + ": no such file");
  EXPECT_EQ(file->value(), "one");
  Write(" \n");
  EXPECT_EQ(std::string(file->LookAgain().message()), Path() + ": empty");
  EXPECT_EQ(file->value(), "one");
  Write("two");
  clock_.Advance(absl::Seconds(2));
  EXPECT_EQ(file->value(), "two");
}

absl::Status OneWord(const std::vector<std::string>& lines) {
  return lines[0].find(' ') == std::string::npos ? absl::OkStatus()
                                                 : absl::InvalidArgumentError("more than one word");
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

// Looks once a second, for a while; what the log says meanwhile.
class ChangingSecret : public SecretFileTest {
 protected:
  std::string LogWhileUsed(SecretFile& file, const std::string& value) {
    testing::internal::CaptureStderr();
    for (int i = 0; i < 5; ++i) {
      clock_.Advance(absl::Seconds(1));
      EXPECT_EQ(file.value(), value);
    }
    return testing::internal::GetCapturedStderr();
  }
  static size_t Lines(const std::string& log) {
    return static_cast<size_t>(std::count(log.begin(), log.end(), '\n'));
  }
};

TEST_F(ChangingSecret, ThatCannotBeUsedIsReportedOncePerChangeAndCounted) {
  Metrics metrics;
  Gauge& refused = metrics.gauge("refused", "");
  Write("first");
  const auto file = SecretFile::Open(Path(), &clock_, &OneWord, &refused).value();
  EXPECT_EQ(refused.value(), 0);
  const std::pair<std::function<void()>, const char*> changes[] = {
      {[&] { std::filesystem::remove(Path()); }, "no such file"},
      {[&] { Write(""); }, "empty"},
      {[&] { Write("# first\n"); }, "empty"},
      {[&] { Replace("the first of them"); }, "more than one word"},
      {[&] { Replace("the first of many"); }, "more than one word"},
      {[&] { Write(std::string(65 * 1024, 'x')); }, "larger than 64 KiB"},
      {[&] {
         Replace(
             "\xff\xfe"
             "f");
       },
       "UTF-16"},
  };
  for (const auto& [change, reason] : changes) {
    change();
    const std::string log = LogWhileUsed(*file, "first");
    EXPECT_EQ(Lines(log), 1) << reason << ": " << log;
    EXPECT_THAT(log, HasSubstr(reason));
    EXPECT_THAT(log, HasSubstr(Path()));
    EXPECT_THAT(log, Not(HasSubstr("first")));
    EXPECT_EQ(refused.value(), 1) << reason;
  }
  Replace("second");
  const std::string log = LogWhileUsed(*file, "second");
  EXPECT_EQ(Lines(log), 1) << log;
  EXPECT_THAT(log, HasSubstr("read again"));
  EXPECT_EQ(refused.value(), 0);
}

TEST_F(ChangingSecret, MayGoBackToWhatItWas) {
  Write("first");
  const auto file = SecretFile::Open(Path(), &clock_, &OneWord).value();
  std::filesystem::rename(Path(), Path("old"));
  Write("two words");
  EXPECT_THAT(LogWhileUsed(*file, "first"), HasSubstr("more than one word"));
  std::filesystem::rename(Path("old"), Path());
  EXPECT_THAT(LogWhileUsed(*file, "first"), HasSubstr("read again"));
}

TEST_F(SecretFileTest, HasNoByteOrderMark) {
  Write("\xef\xbb\xbfkey");
  EXPECT_EQ(Open()->value(), "key");
}

struct TextRow {
  std::string name;
  std::string text;
  std::string error;  // empty: none
};

void PrintTo(const TextRow& row, std::ostream* out) { *out << row.name; }

class SecretText : public ::testing::TestWithParam<TextRow> {};

TEST_P(SecretText, IsRefusedWithWhatIsWrongWithIt) {
  EXPECT_EQ(std::string(CheckSecretText(GetParam().text).message()), GetParam().error);
}

constexpr char kQuotes[] = "is in quotes: the file holds it without them";
constexpr char kBlank[] = "has a blank inside";

INSTANTIATE_TEST_SUITE_P(
    Rows, SecretText,
    ::testing::Values(
        TextRow{"Key", "kco_live_api_!~=+/", ""},
        TextRow{"KeyThatBeginsAsAScheme", "Basically", ""},
        TextRow{"Basic", "Basic a",
                "begins with 'Basic ': only what follows belongs into the file"},
        TextRow{"BasicInLowerCase", "basic\ta",
                "begins with 'Basic ': only what follows belongs into the file"},
        TextRow{"Bearer", "Bearer a",
                "begins with 'Bearer ': only what follows belongs into the file"},
        TextRow{"Quotes", "\"a\"", kQuotes}, TextRow{"SingleQuotes", "'a'", kQuotes},
        TextRow{"QuoteInFront", "\"a", kQuotes}, TextRow{"QuoteBehind", "a'", kQuotes},
        TextRow{"Blank", "a b", kBlank}, TextRow{"Tab", "a\tb", kBlank},
        TextRow{"Control", "a\x01", "has a byte that is no visible ASCII character (the 2. byte)"},
        TextRow{"Delete", "\x7f", "has a byte that is no visible ASCII character (the 1. byte)"},
        TextRow{"Null", std::string("ab\0c", 4),
                "has a byte that is no visible ASCII character (the 3. byte)"},
        TextRow{"NotAscii", "a\xc3\xa9",
                "has a byte that is no visible ASCII character (the 2. byte)"}),
    [](const auto& info) { return info.param.name; });

TEST_F(SecretFileTest, IsStillLookedAtAfterTheClockWasSetBack) {
  Write("old");
  const auto file = Open();
  clock_.Advance(-absl::Hours(1));
  Replace("new");
  EXPECT_EQ(file->value(), "new");
}

}  // namespace
}  // namespace ipp
