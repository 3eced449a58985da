#include "client/ippctl/config_file.h"

#include <filesystem>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/ippctl/file_text.h"
#include "client/ippctl/text.h"

namespace ipp::ippctl {
namespace {

constexpr char kContextKey[] = "context";

const Flag* FindKey(const std::vector<Flag>& known, absl::string_view key) {
  for (const Flag& flag : known) {
    if (flag.setting && flag.name == key) return &flag;
  }
  return nullptr;
}

absl::Status UnknownKey(const std::vector<Flag>& known, const std::string& where,
                        absl::string_view key) {
  std::vector<std::string> keys = {kContextKey};
  for (const Flag& flag : known) {
    if (flag.setting) keys.push_back(flag.name);
  }
  return absl::InvalidArgumentError(
      absl::StrCat(where, ": ", Printable(key), ": no such key", Suggestion(key, keys, "")));
}

// The text before a comment, which begins with '#' at the front or after white space.
absl::string_view WithoutComment(absl::string_view line) {
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '#' && (i == 0 || absl::ascii_isspace(line[i - 1]))) return line.substr(0, i);
  }
  return line;
}

// A view, not a string: for a string moved into a parameter, g++ 12 at -O3 warns that the
// comparison with "~/" may read beyond a short string, although its length is checked first.
std::string AsPath(absl::string_view value, const std::string& config, const std::string& home) {
  absl::string_view rest = value;
  if (absl::ConsumePrefix(&rest, "~/") && !home.empty()) return absl::StrCat(home, "/", rest);
  return (std::filesystem::path(config).parent_path() / std::string(value)).string();
}

}  // namespace

absl::StatusOr<ConfigFile> ParseConfigFile(absl::string_view text, const std::string& path,
                                           const std::vector<Flag>& known,
                                           const std::string& home) {
  ConfigFile file;
  file.path = path;
  Settings* section = &file.common;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::string where = absl::StrCat(path, ":", ++number);
    const auto wrong = [&where](absl::string_view what) {
      return absl::InvalidArgumentError(absl::StrCat(where, ": ", what));
    };
    line = absl::StripAsciiWhitespace(WithoutComment(line));
    if (line.empty()) continue;
    if (absl::ConsumePrefix(&line, "[")) {
      if (!absl::ConsumeSuffix(&line, "]") || line.empty()) {
        return wrong("a section is [NAME] on a line of its own");
      }
      const auto [at, fresh] = file.contexts.try_emplace(std::string(line));
      if (!fresh) return wrong(absl::StrCat("[", Printable(line), "] stands here twice"));
      section = &at->second;
      continue;
    }
    const size_t equals = line.find('=');
    if (equals == absl::string_view::npos) return wrong("neither [NAME] nor key = value");
    const std::string key = ToChoice(line.substr(0, equals));
    std::string value(absl::StripAsciiWhitespace(line.substr(equals + 1)));
    if (value.empty()) return wrong(absl::StrCat(Printable(key), " is empty"));
    if (key == kContextKey && section == &file.common) {
      if (!file.context.empty()) return wrong("context stands here twice");
      file.context = std::move(value);
      file.context_where = where;
      continue;
    }
    const Flag* flag = FindKey(known, key);
    if (flag == nullptr) return UnknownKey(known, where, key);
    if (flag->value == "FILE") value = AsPath(value, path, home);
    if (!section->try_emplace(key, Setting{std::move(value), where}).second) {
      return wrong(absl::StrCat(key, " stands here twice"));
    }
  }
  return file;
}

std::string ConfigFolder(const GetEnv& getenv) {
  // By the XDG Base Directory Specification a path that is not absolute is ignored.
  std::string folder = getenv("XDG_CONFIG_HOME");
  if (!absl::StartsWith(folder, "/")) {
    const std::string home = getenv("HOME");
    folder = home.empty() ? "" : home + "/.config";
  }
  return folder.empty() ? "" : folder + "/ippctl";
}

std::string ConfigPath(const FlagValues& given, const GetEnv& getenv) {
  const std::string named = given.Has("config") ? given.Text("config") : getenv("IPPCTL_CONFIG");
  if (!named.empty()) return named;
  const std::string folder = ConfigFolder(getenv);
  return folder.empty() ? "" : folder + "/config";
}

absl::StatusOr<ConfigFile> FindConfigFile(const FlagValues& given, const GetEnv& getenv,
                                          const std::vector<Flag>& known) {
  const std::string path = ConfigPath(given, getenv);
  if (!given.Has("config") && getenv("IPPCTL_CONFIG").empty()) {
    std::error_code error;
    if (path.empty() || !std::filesystem::exists(path, error)) return ConfigFile();
  }
  const auto text = ReadFileText(path);
  if (text) return ParseConfigFile(*text, path, known, getenv("HOME"));
  return absl::NotFoundError(absl::StrCat("cannot read the configuration file ", path));
}

absl::StatusOr<Context> ChooseContext(const ConfigFile& file, const FlagValues& given,
                                      const GetEnv& getenv) {
  Context context{file.context, file.context_where};
  if (const std::string name = getenv("IPPCTL_CONTEXT"); !name.empty()) {
    context = {name, "IPPCTL_CONTEXT"};
  }
  if (given.Has("context")) context = {given.Text("context"), given.Origin("context")};
  if (context.name.empty() || file.contexts.contains(context.name)) return context;
  return absl::NotFoundError(
      absl::StrCat(context.where, ": ", Printable(context.name), " is not a context",
                   file.path.empty() ? ": there is no configuration file"
                   : file.contexts.empty()
                       ? absl::StrCat(": ", file.path, " has none")
                       : absl::StrCat(" of ", file.path, ", which has ", ContextNames(file))));
}

std::string ContextNames(const ConfigFile& file) {
  return absl::StrJoin(file.contexts, ", ", [](std::string* out, const auto& context) {
    absl::StrAppend(out, context.first);
  });
}

Settings SettingsOf(const ConfigFile& file, const Context& context) {
  Settings settings = file.common;
  if (const auto found = file.contexts.find(context.name); found != file.contexts.end()) {
    for (const auto& [key, setting] : found->second) settings[key] = setting;
  }
  return settings;
}

}  // namespace ipp::ippctl
