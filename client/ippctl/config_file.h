#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/ippctl/flags.h"

namespace ipp::ippctl {

// The configuration file: `key = value` lines, `# comments`, and `[context]` lines that begin a
// section. Before the first section, `context = NAME` selects one.
struct ConfigFile {
  std::string path;  // empty: there is none
  std::string context;
  std::string context_where;
  Settings common;                           // before the first section
  std::map<std::string, Settings> contexts;  // by their names
};

// `known` are the flags that the file may set. Every error names the file, the line and the key,
// but no value, which may be a misplaced secret. Values of `FILE` flags are paths: "~/" is `home`,
// and a relative path is relative to the configuration file.
absl::StatusOr<ConfigFile> ParseConfigFile(absl::string_view text, const std::string& path,
                                           const std::vector<Flag>& known, const std::string& home);

// ippctl's folder of the user: "/home/me/.config/ippctl"; empty when there is none.
std::string ConfigFolder(const GetEnv& getenv);

// The file that --config, the environment or the user's folder names, whether or not it exists;
// empty when nothing names one.
std::string ConfigPath(const FlagValues& given, const GetEnv& getenv);

// Reads the file that --config, the environment or the user's folder names; an empty ConfigFile if
// the last one does not exist.
absl::StatusOr<ConfigFile> FindConfigFile(const FlagValues& given, const GetEnv& getenv,
                                          const std::vector<Flag>& known);

// The selected context (--context, IPPCTL_CONTEXT or the file's `context`) and where it was
// selected; empty when none is. NOT_FOUND when the file has no such section.
struct Context {
  std::string name;
  std::string where;
};
absl::StatusOr<Context> ChooseContext(const ConfigFile& file, const FlagValues& given,
                                      const GetEnv& getenv);

// "playground, production".
std::string ContextNames(const ConfigFile& file);

// `text`, a configuration file, with `key = value` in the section `context` (empty: before the
// first one), where the key stood or at the section's end. Everything else stays as it is.
std::string WithSetting(absl::string_view text, absl::string_view context, absl::string_view key,
                        absl::string_view value);

// Replaces the file at once, readable for its owner only when it is new.
absl::Status WriteConfigFile(const std::string& path, absl::string_view text);

// The settings of that context.
Settings SettingsOf(const ConfigFile& file, const Context& context);

}  // namespace ipp::ippctl
