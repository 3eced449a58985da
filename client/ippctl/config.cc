#include "client/ippctl/command.h"
#include "client/ippctl/commands.h"
#include "client/ippctl/config_file.h"
#include "client/ippctl/json_text.h"
#include "client/ippctl/text.h"

namespace ipp::ippctl {
namespace {

std::string ValueOf(const FlagValues& flags, const Flag& flag) {
  if (flag.kind == FlagKind::kSwitch) return flags.Has(flag.name) ? "true" : "false";
  return flags.Text(flag.name);
}

int Show(Invocation& invocation) {
  const FlagValues& flags = invocation.flags();
  // Both were read a moment ago, to fill in the flags.
  const auto file = FindConfigFile(flags, invocation.getenv(), GlobalFlags());
  if (!file.ok()) return invocation.Misused(file.status().message());
  const auto context = ChooseContext(*file, flags, invocation.getenv());
  if (!context.ok()) return invocation.Misused(context.status().message());

  if (invocation.json()) {
    JsonObject settings;
    for (const Flag& flag : GlobalFlags()) {
      if (!flag.setting) continue;
      settings.Add(flag.name, JsonObject()
                                  .Add("value", Printable(ValueOf(flags, flag)))
                                  .Add("from", flags.Origin(flag.name)));
    }
    invocation.out() << JsonObject()
                            .Add("file", Printable(file->path))
                            .Add("context", Printable(context->name))
                            .Add("settings", settings)
                            .text()
                     << "\n";
    return kExitOk;
  }
  Properties about;
  about.Add("File", file->path.empty() ? "none" : file->path);
  about.Add("Contexts", ContextNames(*file));
  about.Add("In use",
            context->name.empty() ? "none" : context->name + " (by " + context->where + ")");
  invocation.out() << about.Render() << "\n";
  Table table({"SETTING", "VALUE", "FROM"});
  for (const Flag& flag : GlobalFlags()) {
    if (flag.setting) table.Add({flag.name, ValueOf(flags, flag), flags.Origin(flag.name)});
  }
  invocation.out() << table.Render();
  return kExitOk;
}

}  // namespace

std::vector<Command> ConfigCommands() {
  return {
      {.group = "config",
       .name = "show",
       .summary = "Show the settings that count, and where each is from",
       .details = "Secrets are not among them: files that hold some are named, not read.\n"
                  "`ippctl help configuration` tells of the configuration file.",
       .examples = {"ippctl config show", "ippctl config show -o json"},
       .run = Show,
       .needs = Needs::kSettings},
  };
}

}  // namespace ipp::ippctl
