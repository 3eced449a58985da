#include "client/ippctl/help.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/ippctl/commands.h"

namespace ipp::ippctl {
namespace {

constexpr char kExitCodes[] =
    "Exit codes: 0 done, 1 another error, 2 wrong usage, 3 invalid argument or state, 4 not "
    "found,\n"
    "5 not allowed, 6 unavailable or too late, 7 outcome unknown (it may have been done).\n";

constexpr char kExitCodesInFull[] =
    "Exit codes\n"
    "\n"
    "  0  done; also a stream that Ctrl-C or SIGTERM ended\n"
    "  1  another error; or standard output cannot be written\n"
    "  2  wrong usage: the command line, the environment, the configuration file, a file that one\n"
    "     of them names. Nothing was sent\n"
    "  3  INVALID_ARGUMENT, OUT_OF_RANGE, FAILED_PRECONDITION: correct it, then try again\n"
    "  4  NOT_FOUND\n"
    "  5  PERMISSION_DENIED, UNAUTHENTICATED: token, certificate or merchant\n"
    "  6  UNAVAILABLE, DEADLINE_EXCEEDED: it was not done, or it was a read. Of `webhooks "
    "listen`:\n"
    "     the local server did not take an event\n"
    "  7  a create or a tap may or may not have been done, whatever the code. Run it again with\n"
    "     the --request-id that was printed, or look: ippctl sessions outcomes\n"
    "\n"
    "Ctrl-C ends a unary call as if its time had run out: a create then ends with 7. A second\n"
    "Ctrl-C ends the process at once, with 130.\n";

// The paragraphs before and after the table of keys.
constexpr char kConfigBefore[] =
    "Configuration\n"
    "\n"
    "A flag counts more than the environment, the environment more than the configuration file,\n"
    "the file more than the default. `ippctl config show` prints what counts and where it is "
    "from.\n"
    "\n"
    "The file is --config, else $IPPCTL_CONFIG, else $XDG_CONFIG_HOME/ippctl/config, else\n"
    "~/.config/ippctl/config; the last two need not be there. It has one setting a line:\n"
    "\n"
    "  # what holds everywhere\n"
    "  timeout = 5s\n"
    "  context = playground            # when neither --context nor $IPPCTL_CONTEXT says another\n"
    "\n"
    "  [playground]\n"
    "  address = localhost:50051\n"
    "\n"
    "  [production]\n"
    "  address = ipp-gateway.shop.internal:50051\n"
    "  token-file = ~/.config/ippctl/production.token\n"
    "  ca-file = shop-ca.pem           # beside the configuration file\n"
    "\n"
    "A section is a context. What it says counts more than what stands before the first one.\n"
    "Secrets have no key: they stay in the files that token-file and key-file name.\n"
    "\n"
    "Keys, and the variables that do the same:\n";

std::string ConfigTopic() {
  std::string text = kConfigBefore;
  for (const Flag& flag : GlobalFlags()) {
    if (!flag.setting) continue;
    absl::StrAppend(&text, "  ", flag.name, std::string(23 - flag.name.size(), ' '),
                    flag.environment, "\n");
  }
  return text;
}

std::string Usage(const Command& command) {
  std::string usage = absl::StrCat("ippctl ", command.group, " ", command.name);
  for (const std::string& word : command.words) absl::StrAppend(&usage, " ", word);
  return usage;
}

}  // namespace

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
                  group.empty() ? "GROUP" : group,
                  " COMMAND --help\nMore: ippctl help exit-codes, ippctl help configuration\n");
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

std::string HelpTopic(absl::string_view topic) {
  if (topic == "exit-codes") return kExitCodesInFull;
  if (topic == "configuration") return ConfigTopic();
  return "";
}

std::vector<std::string> HelpTopics() { return {"exit-codes", "configuration"}; }

}  // namespace ipp::ippctl
