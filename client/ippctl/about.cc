#include "absl/strings/str_cat.h"
#include "client/ippctl/command.h"
#include "client/ippctl/commands.h"
#include "client/ippctl/help.h"
#include "client/ippctl/json_text.h"
#include "client/ippctl/man_page.h"
#include "ippclient/version.h"

namespace ipp::ippctl {
namespace {

int PrintVersion(Invocation& invocation) {
  const std::string version(client::Version());
  invocation.ShowJson(JsonObject().Add("version", version).text(),
                      absl::StrCat("ippctl ", version, "\n"), version);
  return kExitOk;
}

int PrintOptions(Invocation& invocation) {
  invocation.out() << "Flags of every command:\n" << DescribeFlags(GlobalFlags());
  return kExitOk;
}

int PrintMan(Invocation& invocation) {
  invocation.out() << ManPage(AllCommands(), GlobalFlags());
  return kExitOk;
}

}  // namespace

std::vector<Command> AboutCommands() {
  return {
      {.group = "options",
       .summary = "List the flags that every command takes",
       .examples = {"ippctl options"},
       .run = PrintOptions,
       .needs = Needs::kNothing},
      {.group = "version",
       .summary = "Print the version",
       .examples = {"ippctl version", "ippctl version -o json"},
       .run = PrintVersion,
       .needs = Needs::kNothing,
       .kind = "version"},
      {.group = "man",
       .summary = "Print the manual page, in roff",
       .details = "To read it: ippctl man | man -l -",
       .examples = {"ippctl man"},
       .run = PrintMan,
       .needs = Needs::kNothing},
  };
}

}  // namespace ipp::ippctl
