#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "client/ippctl/commands.h"
#include "client/ippctl/help.h"
#include "client/ippctl/text.h"
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

// Without the line breaks that only make it fit.
std::string Joined(const std::string& text) {
  std::string joined = absl::StrReplaceAll(text, {{" \\\n", " "}});
  std::vector<absl::string_view> words =
      absl::StrSplit(joined, absl::ByAnyChar(" \n"), absl::SkipEmpty());
  return absl::StrJoin(words, " ");
}

TEST(IppctlHelp, NamesEveryCommandAndItsFlagsAndExamples) {
  const std::string overview = Joined(Out({"--help"}));
  const std::string manual = Out({"man"});
  for (const Command& command : AllCommands()) {
    std::vector<std::string> words = {command.group};
    if (!command.name.empty()) words.push_back(command.name);
    std::vector<std::string> asked = words;
    asked.push_back("--help");
    const std::string help = Out(asked);
    ASSERT_FALSE(command.examples.empty()) << NameOf(command);
    for (const std::string& example : command.examples) {
      EXPECT_THAT(Joined(help), HasSubstr(example));
    }
    for (const Flag& flag : command.flags) EXPECT_THAT(help, HasSubstr("--" + flag.name));
    for (const Column& column : command.columns) EXPECT_THAT(help, HasSubstr(column.header));
    if (command.hidden) continue;
    EXPECT_THAT(overview, HasSubstr("ippctl " + NameOf(command)));
    EXPECT_THAT(manual,
                HasSubstr("\n.SS ippctl " + absl::StrReplaceAll(NameOf(command), {{"-", "\\-"}})));
    EXPECT_THAT(Joined(Out({command.group, "-h"})), HasSubstr(Joined(command.summary)));
    words.insert(words.begin(), "help");
    EXPECT_EQ(Out(words), help);
  }
  EXPECT_EQ(Joined(Out({"help"})), overview);
}

TEST(IppctlHelp, FitsEightyColumns) {
  std::vector<std::vector<std::string>> all = {{"--help"}, {"options"}};
  for (const std::string& topic : HelpTopics()) all.push_back({"help", topic});
  for (const Command& command : AllCommands()) {
    all.push_back({command.group, "--help"});
    if (!command.name.empty()) all.push_back({command.group, command.name, "--help"});
  }
  for (const auto& args : all) {
    for (const absl::string_view line : absl::StrSplit(Out(args), '\n')) {
      EXPECT_LE(DisplayWidth(line), kHelpWidth) << line;
    }
  }
}

// The tables of lists that people see on a terminal.
TEST(IppctlHelp, EveryListNamesItsKindAndAnIdColumn) {
  for (const Command& command : AllCommands()) {
    if (command.columns.empty()) continue;
    EXPECT_FALSE(command.kind.empty()) << NameOf(command);
    size_t kept = 0;
    for (const Column& column : command.columns) kept += !column.wide && column.drop == 0 ? 1 : 0;
    EXPECT_GE(kept, 2u) << NameOf(command);
  }
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
  for (int code = kExitOk; code <= kExitNotPaid; ++code) {
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
    std::filesystem::create_directories(".config/ippctl");
    std::ofstream(".config/ippctl/config") << "[playground]\naddress = 127.0.0.1:1\n";
  }
  std::string path() const { return std::filesystem::current_path().string(); }
  ~InFolderOfExamples() { std::filesystem::current_path(before_); }

 private:
  const std::filesystem::path before_;
};

TEST(IppctlHelp, EveryExampleIsACommandLineThatWorks) {
  const InFolderOfExamples folder;
  for (const Command& command : AllCommands()) {
    for (const std::string& example : command.examples) {
      std::vector<std::string> words = Cut(example);
      ASSERT_GE(words.size(), 2u) << example;
      EXPECT_EQ(words[0], "ippctl") << example;
      EXPECT_EQ(words[1], command.group) << example;
      if (!command.name.empty()) {
        EXPECT_EQ(words[2], command.name) << example;
      }
      words.erase(words.begin());
      // All checks are done; then the interrupt ends it before anything is sent.
      Interrupt interrupt;
      interrupt.Trigger();
      const RunResult run = RunIn({{"IPPCTL_ADDRESS", "127.0.0.1:1"}, {"HOME", folder.path()}},
                                  words, "", &interrupt);
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
