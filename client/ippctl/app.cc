#include "client/ippctl/app.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "client/ippctl/commands.h"
#include "client/ippctl/config_file.h"
#include "client/ippctl/file_text.h"
#include "client/ippctl/help.h"
#include "client/utf8.h"
#include "ippclient/version.h"

namespace ipp::ippctl {
namespace {

// gRPC would look a URL up as a host name.
absl::Status CheckAddress(absl::string_view address) {
  for (const absl::string_view scheme : {"http://", "https://", "grpc://", "grpcs://"}) {
    absl::string_view rest = address;
    if (!absl::ConsumePrefix(&rest, scheme)) continue;
    absl::ConsumeSuffix(&rest, "/");
    return absl::InvalidArgumentError(
        absl::StrCat("the address is HOST:PORT, not a URL: give ", rest,
                     absl::EndsWith(scheme, "s://") ? ", and --tls or --ca-file" : ""));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<client::Connection>> Connect(const FlagValues& flags) {
  if (const absl::Status status = CheckAddress(flags.Text("address")); !status.ok()) return status;
  client::ConnectionOptions options;
  options.address = flags.Text("address");
  options.tls = flags.Has("tls");
  options.ca_file = flags.Text("ca-file");
  options.cert_file = flags.Text("cert-file");
  options.key_file = flags.Text("key-file");
  options.allow_plaintext_token = flags.Has("allow-plaintext-token");
  options.merchant_id = flags.Text("merchant");
  options.timeout = flags.Duration("timeout");
  options.user_agent = absl::StrCat("ippctl/", client::Version());
  if (const std::string path = flags.Text("token-file"); !path.empty()) {
    options.token = std::string(absl::StripAsciiWhitespace(ReadFileText(path).value_or("")));
    if (options.token.empty()) {
      return absl::NotFoundError(absl::StrCat("cannot read a token from ", path));
    }
  }
  return client::Connection::Create(options);
}

// One run, so that its parts can share what was parsed so far.
class App {
 public:
  App(std::vector<std::string> args, const Environment& environment)
      : args_(std::move(args)), environment_(environment), commands_(AllCommands()) {}

  int Run() {
    for (size_t i = 0; i < args_.size(); ++i) {
      if (client::IsUtf8(args_[i])) continue;
      return Wrong(absl::StrCat("argument ", i + 1,
                                " is not UTF-8: does the terminal use another character set?"),
                   "ippctl --help");
    }
    if (const absl::Status status = Take(GlobalFlags(), true); !status.ok()) {
      return Wrong(status.message(), "ippctl --help");
    }
    if (values_.Has("version")) {
      environment_.out << "ippctl " << client::Version() << "\n";
      return kExitOk;
    }
    std::vector<std::string> groups;
    for (const Command& command : commands_) {
      if (command.hidden) continue;
      if (groups.empty() || groups.back() != command.group) groups.push_back(command.group);
    }
    groups.push_back("help");
    if (args_.empty()) {
      if (!values_.Has("help")) return Wrong("a command is missing", "ippctl --help");
      environment_.out << Overview(commands_, "");
      return kExitOk;
    }
    const std::string group = TakeWord();
    if (group == "help") return RunHelp();
    for (const Command& command : commands_) {
      if (command.group == group && command.name.empty()) return RunCommand(command);
    }
    if (std::find(groups.begin(), groups.end(), group) == groups.end()) {
      return Wrong(absl::StrCat("unknown command ", group, Suggestion(group, groups, "")),
                   "ippctl --help");
    }
    return RunGroup(group);
  }

 private:
  // `ippctl help`, `help sessions`, `help sessions create`, `help output`.
  int RunHelp() {
    if (args_.size() == 1 && !HelpTopic(args_[0]).empty()) {
      environment_.out << HelpTopic(args_[0]);
      return kExitOk;
    }
    args_.push_back("--help");
    return Run();
  }

  int RunGroup(const std::string& group) {
    const std::string help = absl::StrCat("ippctl ", group, " --help");
    if (const absl::Status status = Take(GlobalFlags(), true); !status.ok()) {
      return Wrong(status.message(), help);
    }
    if (args_.empty()) {
      if (!values_.Has("help")) return Wrong(absl::StrCat(group, " needs a command"), help);
      environment_.out << Overview(commands_, group);
      return kExitOk;
    }
    const std::string name = TakeWord();
    std::vector<std::string> names;
    for (const Command& command : commands_) {
      if (command.group != group) continue;
      if (command.name == name) return RunCommand(command);
      names.push_back(command.name);
    }
    return Wrong(absl::StrCat("unknown command ", group, " ", name, Suggestion(name, names, "")),
                 help);
  }

  int RunCommand(const Command& command) {
    const std::string help = absl::StrCat("ippctl ", NameOf(command), " --help");
    std::vector<Flag> flags = command.flags;
    for (Flag& flag : GlobalFlags()) flags.push_back(std::move(flag));
    absl::Status status = Take(flags, false);
    if (values_.Has("help")) {
      environment_.out << Help(command);
      return kExitOk;
    }
    if (status.ok() && words_.size() > command.words.size()) {
      status = absl::InvalidArgumentError(
          absl::StrCat("unexpected argument ", words_[command.words.size()]));
    }
    if (status.ok() && words_.size() < command.words.size() &&
        command.words[words_.size()].front() != '[') {
      status =
          absl::InvalidArgumentError(absl::StrCat(command.words[words_.size()], " is missing"));
    }
    for (const std::string& word : words_) {
      if (status.ok() && word.empty()) {
        status = absl::InvalidArgumentError(
            absl::StrCat(absl::StrJoin(command.words, " "), " is empty"));
      }
    }
    if (status.ok()) status = Complete(flags, command.needs);
    std::unique_ptr<JsonPath> path;
    if (status.ok()) status = ReadPath(&path);
    if (!status.ok()) return Wrong(status.message(), help);
    DropKinds(command);

    std::shared_ptr<client::Connection> connection;
    if (command.needs == Needs::kGateway) {
      auto connected = Connect(values_);
      if (!connected.ok()) return Wrong(connected.status().message(), "ippctl --help");
      connection = *std::move(connected);
    }
    Invocation invocation(environment_, command, std::move(values_), std::move(words_),
                          std::move(connection), std::move(path));
    const int exit_code = command.run(invocation);
    if (environment_.out.flush()) return exit_code;
    // As if the signal had ended us, like other programs in a pipe.
    if (environment_.reader_gone && environment_.reader_gone()) return 128 + SIGPIPE;
    environment_.err << "ippctl: cannot write to standard output\n";
    return exit_code == kExitOk ? kExitOther : exit_code;
  }

  // The environment, the configuration file and the defaults for what was not given.
  absl::Status Complete(const std::vector<Flag>& flags, Needs needs) {
    Settings settings;
    if (needs != Needs::kNothing) {
      const auto file = FindConfigFile(values_, environment_.getenv, GlobalFlags());
      if (!file.ok()) return file.status();
      const auto context = ChooseContext(*file, values_, environment_.getenv);
      if (!context.ok()) return context.status();
      settings = SettingsOf(*file, *context);
    }
    return CompleteFlags(flags, environment_.getenv, settings, &values_);
  }

  absl::Status ReadPath(std::unique_ptr<JsonPath>* path) const {
    const std::string format = values_.Text("output");
    absl::string_view text = format;
    if (!absl::ConsumePrefix(&text, "jsonpath=")) return absl::OkStatus();
    auto parsed = JsonPath::Parse(text);
    if (!parsed.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("--output: ", parsed.status().message()));
    }
    *path = std::make_unique<JsonPath>(*std::move(parsed));
    return absl::OkStatus();
  }

  // "device/ID", as -o name prints it, is taken where an ID is.
  void DropKinds(const Command& command) {
    for (size_t i = 0; i < words_.size() && i < command.words.size(); ++i) {
      absl::string_view kind = command.words[i];
      absl::ConsumePrefix(&kind, "[");
      absl::ConsumeSuffix(&kind, "]");
      if (!absl::ConsumeSuffix(&kind, "_ID")) continue;
      absl::string_view word = words_[i];
      if (absl::ConsumePrefix(&word, absl::AsciiStrToLower(kind)) &&
          absl::ConsumePrefix(&word, "/")) {
        words_[i] = std::string(word);
      }
    }
  }

  absl::Status Take(const std::vector<Flag>& flags, bool stop_at_word) {
    return ParseFlags(flags, stop_at_word, &args_, &words_, &values_);
  }

  std::string TakeWord() {
    std::string word = std::move(args_.front());
    args_.erase(args_.begin());
    return word;
  }

  int Wrong(absl::string_view message, const std::string& help) {
    environment_.err << DescribeMisuse(message, help, values_, environment_.err_color);
    return kExitUsage;
  }

  std::vector<std::string> args_;
  const Environment& environment_;
  const std::vector<Command> commands_;
  std::vector<std::string> words_;
  FlagValues values_;
};

}  // namespace

int RunIppctl(std::vector<std::string> args, const Environment& environment) {
  return App(std::move(args), environment).Run();
}

}  // namespace ipp::ippctl
