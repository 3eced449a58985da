#include "server/config/config.h"

#include <unistd.h>

#include <fstream>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/base/error.h"
#include "server/config/reader.h"
#include "server/config/validate.h"

namespace ipp::config {
namespace {

constexpr size_t kMaxFileBytes = 1024 * 1024;

absl::Status InvalidConfig(std::vector<Problem> problems) {
  if (problems.size() > kMaxProblems) {
    problems.resize(kMaxProblems);
    problems.push_back({"", {"", "and more"}});
  }
  std::vector<FieldViolation> violations;
  std::string message;
  for (const auto& [source, violation] : problems) {
    for (const std::string& part : {source, violation.field}) {
      if (!part.empty()) absl::StrAppend(&message, part, ": ");
    }
    absl::StrAppend(&message, violation.description, "\n");
    violations.push_back(violation);
  }
  message.pop_back();
  return MakeError(absl::StatusCode::kInvalidArgument, message,
                   {.reason = "INVALID_CONFIG", .violations = std::move(violations)});
}

absl::Status Unreadable(absl::StatusCode code, absl::string_view path, absl::string_view why) {
  return MakeError(code, absl::StrCat(path, ": ", why), {.reason = "CONFIG_UNREADABLE"});
}

// Where the field was read, or else the nearest parent that should have contained it.
std::string SourceOf(std::string field, const Sources& sources, absl::string_view otherwise) {
  while (true) {
    if (const auto found = sources.find(field); found != sources.end()) return found->second;
    const size_t parent = field.find_last_of(".[");
    if (parent == std::string::npos) return std::string(otherwise);
    field.resize(parent);
  }
}

}  // namespace

absl::StatusOr<Config> Parse(absl::string_view yaml, absl::string_view file_name,
                             const std::map<std::string, std::string>& environment) {
  const Config defaults = Defaults();
  Config config = defaults;
  Reading reading;
  ReadYaml(yaml, file_name, &config, &reading);
  ReadEnvironment(environment, defaults, &config, &reading);
  // Do not validate after a read error: a value that was not understood would be reported twice.
  if (!reading.problems.empty()) return InvalidConfig(std::move(reading.problems));

  // The default must not conflict with what the operator chose: if events are kept for longer, the
  // default of creates.memory grows with them.
  if (!reading.sources.contains("creates.memory") &&
      ToDuration(config.events().retention()) > ToDuration(config.creates().memory()) &&
      ToDuration(config.events().retention()) <= absl::Hours(24 * 366)) {
    *config.mutable_creates()->mutable_memory() = config.events().retention();
  }

  std::vector<Problem> broken;
  for (FieldViolation& violation : FindViolations(config)) {
    std::string source = SourceOf(violation.field, reading.sources, file_name);
    broken.push_back({std::move(source), std::move(violation)});
  }
  if (!broken.empty()) return InvalidConfig(std::move(broken));
  return config;
}

absl::StatusOr<Config> Load(const std::string& path,
                            const std::map<std::string, std::string>& environment) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Unreadable(absl::StatusCode::kNotFound, path, "cannot be opened");
  std::string yaml(kMaxFileBytes + 1, '\0');
  file.read(yaml.data(), static_cast<std::streamsize>(yaml.size()));
  if (file.bad()) return Unreadable(absl::StatusCode::kFailedPrecondition, path, "cannot be read");
  yaml.resize(static_cast<size_t>(file.gcount()));
  if (yaml.size() > kMaxFileBytes) {
    return Unreadable(absl::StatusCode::kFailedPrecondition, path, "larger than 1 MiB");
  }
  return Parse(yaml, path, environment);
}

absl::Status Validate(const Config& config) {
  std::vector<Problem> broken;
  for (FieldViolation& violation : FindViolations(config)) {
    broken.push_back({"", std::move(violation)});
  }
  return broken.empty() ? absl::OkStatus() : InvalidConfig(std::move(broken));
}

std::map<std::string, std::string> IppEnvironment() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    if (!absl::StartsWith(*entry, "IPP_")) continue;
    variables.insert(absl::StrSplit(*entry, absl::MaxSplits('=', 1)));
  }
  return variables;
}

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

}  // namespace ipp::config
