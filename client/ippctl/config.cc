#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/ippctl/command.h"
#include "client/ippctl/commands.h"
#include "client/ippctl/config_file.h"
#include "client/ippctl/file_text.h"
#include "client/ippctl/json_text.h"
#include "client/ippctl/table.h"
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

  JsonObject settings;
  Table table({"SETTING", "VALUE", "FROM"});
  for (const Flag& flag : GlobalFlags()) {
    if (!flag.setting) continue;
    settings.Add(flag.name, JsonObject()
                                .Add("value", Printable(ValueOf(flags, flag)))
                                .Add("from", flags.Origin(flag.name)));
    table.Add({flag.name, ValueOf(flags, flag), flags.Origin(flag.name)});
  }
  Properties about;
  about.Add("File", file->path.empty() ? "none" : file->path);
  about.Add("Contexts", ContextNames(*file));
  about.Add("In use",
            context->name.empty() ? "none" : context->name + " (by " + context->where + ")");
  invocation.ShowJson(JsonObject()
                          .Add("file", Printable(file->path))
                          .Add("context", Printable(context->name))
                          .Add("settings", settings)
                          .text(),
                      absl::StrCat(about.Render(), "\n", table.Render()), context->name);
  return kExitOk;
}

int List(Invocation& invocation) {
  const auto file = FindConfigFile(invocation.flags(), invocation.getenv(), GlobalFlags());
  if (!file.ok()) return invocation.Misused(file.status().message());
  const auto chosen = ChooseContext(*file, invocation.flags(), invocation.getenv());
  const std::string current = chosen.ok() ? chosen->name : "";
  Table table({"IN USE", "CONTEXT", "ADDRESS", "MERCHANT"});
  std::vector<JsonObject> rows;
  std::string names;
  for (const auto& [name, own] : file->contexts) {
    const Settings settings = SettingsOf(*file, {.name = name, .where = ""});
    const auto value = [&settings](const std::string& key, const std::string& fallback) {
      const auto found = settings.find(key);
      return found == settings.end() ? fallback : found->second.value;
    };
    const std::string address = value("address", "localhost:50051");
    table.Add({name == current ? "*" : "", name, address, value("merchant", "")});
    rows.push_back(JsonObject()
                       .Add("name", Printable(name))
                       .Add("address", Printable(address))
                       .Add("in_use", name == current));
    absl::StrAppend(&names, names.empty() ? "" : "\ncontext/", name);
  }
  if (names.empty() && invocation.name_only()) return kExitOk;
  invocation.ShowJson(JsonObject().Add("contexts", rows).text(), table.Render(invocation.look()),
                      names);
  return kExitOk;
}

// The file as it is, or nothing when there is none yet.
absl::StatusOr<std::string> TextOf(const std::string& path) {
  if (path.empty()) return absl::NotFoundError("there is no HOME: say which file with --config");
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return "";
  const auto text = ReadFileText(path);
  if (!text && std::filesystem::file_size(path, error) > 0) {
    return absl::NotFoundError(absl::StrCat("cannot read the configuration file ", path));
  }
  return text.value_or("");
}

// Writes the file with that setting, unless the result would not be good.
int Write(Invocation& invocation, const std::string& context, const std::string& key,
          const std::string& value, const std::string& done) {
  const std::string path = ConfigPath(invocation.flags(), invocation.getenv());
  const auto text = TextOf(path);
  if (!text.ok()) return invocation.Misused(text.status().message());
  const std::string next = WithSetting(*text, context, key, value);
  const auto parsed = ParseConfigFile(next, path, GlobalFlags(), invocation.getenv()("HOME"));
  if (!parsed.ok()) return invocation.Misused(parsed.status().message());
  FlagValues checked;
  const auto none = [](const std::string&) { return std::string(); };
  if (const absl::Status status = CompleteFlags(
          GlobalFlags(), none, SettingsOf(*parsed, {.name = context, .where = ""}), &checked);
      !status.ok()) {
    return invocation.Misused(status.message());
  }
  if (const absl::Status status = WriteConfigFile(path, next); !status.ok()) {
    return invocation.Misused(status.message());
  }
  invocation.ShowJson(JsonObject().Add("file", Printable(path)).text(),
                      absl::StrCat(done, " in ", Printable(path), "\n"), context);
  return kExitOk;
}

int Set(Invocation& invocation) {
  const std::string key = ToChoice(invocation.words()[0]);
  std::string value = invocation.words()[1];
  const std::string context = invocation.flags().Text("context");
  std::vector<std::string> keys;
  const Flag* known = nullptr;
  const std::vector<Flag> flags = GlobalFlags();
  for (const Flag& flag : flags) {
    if (!flag.setting) continue;
    keys.push_back(flag.name);
    if (flag.name == key) known = &flag;
  }
  if (known == nullptr) {
    return invocation.Misused(
        absl::StrCat(Printable(key), ": no such key", Suggestion(key, keys, "")));
  }
  if (absl::StrContains(value, '\n') || absl::StrContains(value, " #") ||
      absl::StartsWith(value, "#")) {
    return invocation.Misused("a value has no line breaks and no comment");
  }
  // In the file a path is beside it; on the command line it is where the user is.
  if (known->value == "FILE" && !absl::StartsWith(value, "~/")) {
    value = std::filesystem::absolute(value).lexically_normal().string();
  }
  return Write(invocation, context, key, value,
               absl::StrCat("Set ", key, context.empty() ? "" : " of " + Printable(context)));
}

int Use(Invocation& invocation) {
  const std::string& name = invocation.words()[0];
  const auto file = FindConfigFile(invocation.flags(), invocation.getenv(), GlobalFlags());
  if (!file.ok()) return invocation.Misused(file.status().message());
  if (!file->contexts.contains(name)) {
    return invocation.Misused(absl::StrCat(
        Printable(name), " is not a context",
        file->contexts.empty() ? "; ippctl config set --context NAME address HOST:PORT makes one"
                               : absl::StrCat("; there are ", ContextNames(*file))));
  }
  return Write(invocation, "", "context", name,
               absl::StrCat("Context ", Printable(name), " is in use"));
}

}  // namespace

std::vector<Command> ConfigCommands() {
  return {
      {.group = "config",
       .name = "show",
       .summary = "Show the settings that count, and where each is from",
       .details = "Secrets are not among them: files that hold some are named, not read. `ippctl "
                  "help configuration` tells of the configuration file.",
       .examples = {"ippctl config show", "ippctl config show -o json"},
       .run = Show,
       .needs = Needs::kSettings,
       .kind = "context"},
      {.group = "config",
       .name = "list",
       .summary = "List the contexts of the configuration file",
       .examples = {"ippctl config list"},
       .run = List,
       .needs = Needs::kNothing,
       .kind = "context"},
      {.group = "config",
       .name = "set",
       .summary = "Write a setting to the configuration file",
       .words = {"KEY", "VALUE"},
       .details = "With --context it goes into that section, which is made when it is not there; "
                  "else before the first one. The rest of the file stays as it is. A path is where "
                  "you are; secrets have no key, only the files that hold them.",
       .examples = {"ippctl config set timeout 5s",
                    "ippctl config set --context playground address localhost:50051"},
       .run = Set,
       .needs = Needs::kNothing,
       .kind = "context"},
      {.group = "config",
       .name = "use",
       .summary = "Choose the context that counts when none is asked for",
       .words = {"CONTEXT"},
       .examples = {"ippctl config use playground"},
       .run = Use,
       .needs = Needs::kNothing,
       .kind = "context"},
  };
}

}  // namespace ipp::ippctl
