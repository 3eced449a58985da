#include "absl/strings/str_cat.h"
#include "client/ippctl/commands.h"
#include "client/ippctl/help.h"

namespace ipp::ippctl {
namespace {

constexpr char kExitCodes[] =
    "Exit codes\n"
    "\n"
    "  0  done; also a stream that Ctrl-C or SIGTERM ended\n"
    "  1  another error; or standard output cannot be written\n"
    "  2  wrong usage: the command line, the environment, the configuration file,\n"
    "     a file that one of them names. Nothing was sent\n"
    "  3  INVALID_ARGUMENT, OUT_OF_RANGE, FAILED_PRECONDITION: correct it, then\n"
    "     try again\n"
    "  4  NOT_FOUND\n"
    "  5  PERMISSION_DENIED, UNAUTHENTICATED: token, certificate or merchant\n"
    "  6  UNAVAILABLE, DEADLINE_EXCEEDED: it was not done, or it was a read. Of\n"
    "     `webhooks listen`: the local server did not take an event\n"
    "  7  a create or a tap may or may not have been done, whatever the code. Run\n"
    "     it again with the --request-id that was printed, or look:\n"
    "     ippctl sessions outcomes. Of `sessions watch --exit-status`: it was\n"
    "     ended before the session was\n"
    "  8  of `sessions watch --exit-status`: the session ended, and was not paid\n"
    "\n"
    "Ctrl-C ends a unary call as if its time had run out: a create then ends\n"
    "with 7. A second Ctrl-C ends the process at once, with 130.\n";

constexpr char kOutput[] =
    "Output\n"
    "\n"
    "  -o table      for people (the default). On a terminal a table fits its\n"
    "                width: times are shortened, long text is cut, then columns\n"
    "                are left out\n"
    "  -o wide       every column, however long the lines get\n"
    "  -o json       the contract's answer, field for field; a list is one object,\n"
    "                with [] when it is empty; a stream is one object a line\n"
    "  -o ndjson     one object a line, also for lists\n"
    "  -o yaml       the same fields as YAML; the parts of a stream are separated\n"
    "                by ---\n"
    "  -o name       device/ID and the like, one a line; commands take it as an ID\n"
    "  -o jsonpath=TEMPLATE\n"
    "                kubectl's templates: .name ['name'] [0] [-1] [0:2] [*]\n"
    "                [?(@.path==\"text\")] {range .rows[*]} {end} {\"\\n\"}\n"
    "\n"
    "  ippctl devices list -o jsonpath='{range .devices[*]}{.id}{\"\\n\"}{end}'\n"
    "\n"
    "With json, ndjson, yaml and jsonpath an error is one JSON object on one line\n"
    "of standard error: {\"error\":{\"code\":…,\"exit_code\":…}}. Answers to creates\n"
    "then have a member request_id.\n"
    "\n"
    "Tables have colours on a terminal, unless NO_COLOR is set. Times are in the\n"
    "zone of this machine, with its offset; --utc prints UTC, as JSON always does.\n";

// The paragraphs before and after the table of keys.
constexpr char kConfigBefore[] =
    "Configuration\n"
    "\n"
    "A flag counts more than the environment, the environment more than the\n"
    "configuration file, the file more than the default. `ippctl config show`\n"
    "prints what counts and where it is from; `ippctl config set`, `use` and\n"
    "`list` write and read the file.\n"
    "\n"
    "The file is --config, else $IPPCTL_CONFIG, else $XDG_CONFIG_HOME/ippctl/config,\n"
    "else ~/.config/ippctl/config; the last two need not be there. It has one\n"
    "setting a line:\n"
    "\n"
    "  # what holds everywhere\n"
    "  timeout = 5s\n"
    "  context = playground   # when --context and $IPPCTL_CONTEXT say nothing\n"
    "\n"
    "  [playground]\n"
    "  address = localhost:50051\n"
    "\n"
    "  [production]\n"
    "  address = ipp-gateway.shop.internal:50051\n"
    "  token-file = ~/.config/ippctl/production.token\n"
    "  ca-file = shop-ca.pem  # beside the configuration file\n"
    "\n"
    "A section is a context. What it says counts more than what stands before the\n"
    "first one. Secrets have no key: they stay in the files that token-file and\n"
    "key-file name.\n"
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

}  // namespace

std::string HelpTopic(absl::string_view topic) {
  if (topic == "output") return kOutput;
  if (topic == "exit-codes") return kExitCodes;
  if (topic == "configuration") return ConfigTopic();
  return "";
}

std::vector<std::string> HelpTopics() { return {"output", "exit-codes", "configuration"}; }

}  // namespace ipp::ippctl
