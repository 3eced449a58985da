#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/ascii.h"
#include "client/ippctl/commands.h"
#include "client/ippctl/help.h"
#include "ippclient/version.h"
#include "tests/client/ippctl_run.h"

namespace ipp::ippctl {
namespace {

using ::testing::HasSubstr;

std::string Out(std::vector<std::string> args) {
  const RunResult run = RunAt("127.0.0.1:1", std::move(args));
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.err, "");
  return run.out;
}

TEST(IppctlHelp, NamesEveryCommandAndItsFlagsAndExamples) {
  const std::string overview = Out({"--help"});
  for (const Command& command : AllCommands()) {
    EXPECT_THAT(overview, HasSubstr("ippctl " + command.group + " " + command.name));
    const std::string help = Out({command.group, command.name, "--help"});
    ASSERT_FALSE(command.examples.empty()) << command.name;
    for (const std::string& example : command.examples) EXPECT_THAT(help, HasSubstr(example));
    for (const Flag& flag : command.flags) EXPECT_THAT(help, HasSubstr("--" + flag.name + " "));
    EXPECT_THAT(Out({command.group, "-h"}), HasSubstr(command.summary));
    EXPECT_EQ(Out({"help", command.group, command.name}), help);
  }
  EXPECT_EQ(Out({"help"}), overview);
}

TEST(IppctlHelp, NoFlagOfACommandHidesOneOfEveryCommand) {
  for (const Command& command : AllCommands()) {
    for (const Flag& flag : command.flags) {
      for (const Flag& global : GlobalFlags()) {
        EXPECT_NE(flag.name, global.name) << command.group << " " << command.name;
      }
    }
  }
}

TEST(IppctlHelp, TellsOfExitCodesAndOfTheConfiguration) {
  const std::string codes = Out({"help", "exit-codes"});
  for (int code = kExitOk; code <= kExitUnknown; ++code) {
    EXPECT_THAT(codes, HasSubstr("\n  " + std::to_string(code) + "  "));
  }
  const std::string configuration = Out({"help", "configuration"});
  for (const Flag& flag : GlobalFlags()) {
    if (flag.setting) {
      EXPECT_THAT(configuration, HasSubstr("  " + flag.name + " "));
    }
    EXPECT_THAT(configuration, HasSubstr(flag.environment));
  }
}

TEST(IppctlHelp, IsThereWhateverTheConfigurationFileHolds) {
  const std::string path = ::testing::TempDir() + "/ippctl_broken_config";
  std::ofstream(path) << "nonsense\n";
  EXPECT_THAT(Out({"--config", path, "devices", "list", "--help"}), HasSubstr("devices list"));
  EXPECT_THAT(Out({"--config", path, "completion", "bash"}), HasSubstr("_ippctl"));
}

// A command line as a shell cuts it: quotes, and lines that go on.
std::vector<std::string> Cut(const std::string& line) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = '\0';
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote != '\0') {
      if (c == quote) {
        quote = '\0';
      } else {
        word += c;
      }
    } else if (c == '\'' || c == '"') {
      quote = c;
      in_word = true;
    } else if (c == '\\' && line[i + 1] == '\n') {
      ++i;
    } else if (absl::ascii_isspace(c)) {
      if (in_word) words.push_back(std::exchange(word, ""));
      in_word = false;
    } else {
      word += c;
      in_word = true;
    }
  }
  EXPECT_EQ(quote, '\0') << line;
  if (in_word) words.push_back(word);
  return words;
}

// Where the files are that examples name. The process goes back where it was.
class InFolderOfExamples {
 public:
  InFolderOfExamples() : before_(std::filesystem::current_path()) {
    const auto folder = std::filesystem::path(::testing::TempDir()) / "ippctl_examples";
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
    std::filesystem::current_path(folder);
    std::ofstream("order.json") << R"({"device_id": "d"})";
  }
  ~InFolderOfExamples() { std::filesystem::current_path(before_); }

 private:
  const std::filesystem::path before_;
};

TEST(IppctlHelp, EveryExampleIsACommandLineThatWorks) {
  const InFolderOfExamples folder;
  for (const Command& command : AllCommands()) {
    for (const std::string& example : command.examples) {
      std::vector<std::string> words = Cut(example);
      ASSERT_GE(words.size(), 3u) << example;
      EXPECT_EQ(words[0], "ippctl") << example;
      EXPECT_EQ(words[1], command.group) << example;
      EXPECT_EQ(words[2], command.name) << example;
      words.erase(words.begin());
      // All checks are done; then the interrupt ends it before anything is sent.
      Interrupt interrupt;
      interrupt.Trigger();
      const RunResult run = RunAt("127.0.0.1:1", words, "", &interrupt);
      EXPECT_NE(run.exit_code, kExitUsage) << example << "\n" << run.err;
    }
  }
}

TEST(IppctlOutput, ThatCannotBeWrittenIsAnError) {
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  out.setstate(std::ios::badbit);
  Interrupt interrupt;
  Environment environment{in, out, err, [](const std::string&) { return std::string(); },
                          &interrupt};
  EXPECT_EQ(RunIppctl({"completion", "bash"}, environment), 1);
  EXPECT_EQ(err.str(), "ippctl: cannot write to standard output\n");
  err.str("");
  environment.reader_gone = [] { return true; };
  EXPECT_EQ(RunIppctl({"completion", "bash"}, environment), 141);
  EXPECT_EQ(err.str(), "");
}

}  // namespace
}  // namespace ipp::ippctl
