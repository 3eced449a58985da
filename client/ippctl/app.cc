#include "client/ippctl/app.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ippclient/version.h"

namespace ipp::ippctl {
namespace {

constexpr char kExitCodes[] =
    "Exit codes: 0 done, 1 another error, 2 wrong usage, 3 invalid argument or state, 4 not "
    "found,\n"
    "5 not allowed, 6 unavailable or too late, 7 outcome unknown (it may have been done).\n";

std::vector<Flag> GlobalFlags() {
  return {
      {.name = "address",
       .value = "HOST:PORT",
       .help = "the gateway",
       .fallback = "localhost:50051",
       .environment = "IPPCTL_ADDRESS"},
      {.name = "token-file",
       .value = "FILE",
       .help = "bearer token, sent with every call",
       .environment = "IPPCTL_TOKEN_FILE"},
      {.name = "merchant",
       .value = "ID",
       .help = "which merchant, when the caller has several",
       .environment = "IPPCTL_MERCHANT"},
      {.name = "ca-file",
       .value = "FILE",
       .help = "TLS with the certificate authorities of this PEM file",
       .environment = "IPPCTL_CA_FILE"},
      {.name = "cert-file",
       .value = "FILE",
       .help = "TLS with this client certificate (PEM), for a gateway that asks for one",
       .environment = "IPPCTL_CERT_FILE"},
      {.name = "key-file",
       .value = "FILE",
       .help = "the certificate's private key (PEM)",
       .environment = "IPPCTL_KEY_FILE"},
      {.name = "tls", .kind = FlagKind::kSwitch, .help = "TLS with the system's authorities"},
      {.name = "allow-plaintext-token",
       .kind = FlagKind::kSwitch,
       .help = "send the token without TLS to another machine"},
      {.name = "timeout",
       .kind = FlagKind::kDuration,
       .value = "DURATION",
       .help = "how long a call may take; streams go on",
       .fallback = "10s"},
      {.name = "output",
       .kind = FlagKind::kChoice,
       .value = "FORMAT",
       .help = "how answers are printed",
       .letter = 'o',
       .choices = {"table", "json"},
       .fallback = "table"},
      {.name = "help", .kind = FlagKind::kSwitch, .help = "this text", .letter = 'h'},
      {.name = "version", .kind = FlagKind::kSwitch, .help = "the version"},
  };
}

std::vector<Command> AllCommands() {
  std::vector<Command> all;
  for (auto* part : {DeviceCommands, EnrollmentCommands, LocationCommands, SessionCommands,
                     OutcomeCommands, EventCommands, SimulationCommands}) {
    for (Command& command : part()) all.push_back(std::move(command));
  }
  return all;
}

std::string Usage(const Command& command) {
  std::string usage = absl::StrCat("ippctl ", command.group, " ", command.name);
  for (const std::string& word : command.words) absl::StrAppend(&usage, " ", word);
  return usage;
}

// Help for everything, or for one group.
std::string Overview(const std::vector<Command>& commands, absl::string_view group) {
  size_t width = 0;
  for (const Command& command : commands) width = std::max(width, Usage(command).size());
  std::string text = absl::StrCat("ippctl ", group.empty() ? "" : absl::StrCat(group, " "),
                                  group.empty() ? "GROUP " : "",
                                  "COMMAND [FLAGS]: in-person payments by hand\n\n");
  for (const Command& command : commands) {
    if (!group.empty() && command.group != group) continue;
    const std::string usage = Usage(command);
    absl::StrAppend(&text, "  ", usage, std::string(width - usage.size() + 2, ' '), command.summary,
                    "\n");
  }
  absl::StrAppend(&text, "\nFlags of every command:\n", DescribeFlags(GlobalFlags()), "\n",
                  kExitCodes, "\nA command's own flags and examples: ippctl ",
                  group.empty() ? "GROUP" : group, " COMMAND --help\n");
  return text;
}

std::string Help(const Command& command) {
  std::string text = absl::StrCat(Usage(command), command.flags.empty() ? "" : " [FLAGS]", "\n  ",
                                  command.summary, "\n");
  if (!command.details.empty()) absl::StrAppend(&text, "\n", command.details, "\n");
  if (!command.flags.empty()) absl::StrAppend(&text, "\nFlags:\n", DescribeFlags(command.flags));
  absl::StrAppend(&text, "\nExamples:\n");
  for (const std::string& example : command.examples) absl::StrAppend(&text, "  ", example, "\n");
  absl::StrAppend(&text, "\nFlags of every command:\n", DescribeFlags(GlobalFlags()), "\n",
                  kExitCodes);
  return text;
}

absl::StatusOr<std::shared_ptr<client::Connection>> Connect(const FlagValues& flags) {
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
    std::ifstream file(path);
    const std::string content{std::istreambuf_iterator<char>(file), {}};
    options.token = std::string(absl::StripAsciiWhitespace(content));
    if (!file || options.token.empty()) {
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
    if (const absl::Status status = Take(GlobalFlags(), true); !status.ok()) {
      return Wrong(status.message(), "ippctl --help");
    }
    if (values_.Has("version")) {
      environment_.out << "ippctl " << client::Version() << "\n";
      return kExitOk;
    }
    std::vector<std::string> groups;
    for (const Command& command : commands_) {
      if (groups.empty() || groups.back() != command.group) groups.push_back(command.group);
    }
    if (args_.empty()) {
      if (!values_.Has("help")) return Wrong("a command is missing", "ippctl --help");
      environment_.out << Overview(commands_, "");
      return kExitOk;
    }
    const std::string group = TakeWord();
    if (std::find(groups.begin(), groups.end(), group) == groups.end()) {
      return Wrong(absl::StrCat("unknown command ", group, Suggestion(group, groups, "")),
                   "ippctl --help");
    }
    return RunGroup(group);
  }

 private:
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
    const std::string help = absl::StrCat("ippctl ", command.group, " ", command.name, " --help");
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
    if (status.ok()) status = CompleteFlags(flags, environment_.getenv, &values_);
    if (!status.ok()) return Wrong(status.message(), help);

    auto connection = Connect(values_);
    if (!connection.ok()) return Wrong(connection.status().message(), "ippctl --help");
    Invocation invocation(environment_, std::move(values_), std::move(words_),
                          *std::move(connection));
    return command.run(invocation);
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
    environment_.err << absl::StrCat("ippctl: ", message, "\nSee ", help, "\n");
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
