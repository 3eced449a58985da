#include "tests/config/config_check.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/util/message_differencer.h"
#include "server/base/error.h"
#include "server/config/config.h"
#include "server/config/validate.h"
#include "tests/support/require.h"

namespace ipp::config {
namespace {

using google::protobuf::util::MessageDifferencer;

constexpr char kSecret[] = "hunter2";

std::map<std::string, std::string> TakeVariables(absl::string_view* text) {
  std::map<std::string, std::string> variables;
  while (absl::StartsWith(*text, "IPP_")) {
    const absl::string_view line = text->substr(0, text->find('\n'));
    text->remove_prefix(std::min(line.size() + 1, text->size()));
    variables.insert(absl::StrSplit(line, absl::MaxSplits('=', 1)));
  }
  return variables;
}

void CheckRefusal(const absl::Status& status) {
  const std::string said(status.message());
  Require(status.code() == absl::StatusCode::kInvalidArgument, "refused otherwise", said);
  const ErrorDetail detail = GetErrorDetail(status);
  Require(detail.reason == "INVALID_CONFIG", "another reason", said);
  for (const FieldViolation& violation : detail.violations) {
    Require(!violation.description.empty(), "a mistake that is not told", said);
    Require(!absl::StrContains(violation.description, kSecret), "a secret is told", said);
  }
  const std::vector<absl::string_view> lines = absl::StrSplit(said, '\n');
  Require(lines.size() == detail.violations.size(), "not a line for each mistake", said);
  for (const absl::string_view line : lines) {
    Require(absl::StartsWith(line, "g.yaml") || absl::StartsWith(line, "IPP_") ||
                (line == "and more" && lines.size() > 100),
            "a line does not say where", said);
    Require(std::none_of(line.begin(), line.end(), absl::ascii_iscntrl), "not printable", said);
  }
}

void CheckTaken(const Config& config) {
  Require(FindViolations(config).empty(), "taken, and not valid", config.ShortDebugString());
  const std::string yaml = MaskedYaml(config);
  if (absl::StrContains(yaml, "***")) return;  // a user name in some URL
  // A path may have any bytes; YAML shows U+FFFD for those that are not UTF-8.
  if (absl::StrContains(yaml, "\xef\xbf\xbd")) return;
  const absl::StatusOr<Config> again = Parse(yaml, "g.yaml", {});
  Require(again.ok(), "written, and refused", yaml);
  Require(MessageDifferencer::Equals(*again, config), "written, and another", yaml);
}

}  // namespace

void CheckConfig(absl::string_view bytes) {
  const std::map<std::string, std::string> variables = TakeVariables(&bytes);
  const absl::StatusOr<Config> config = Parse(bytes, "g.yaml", variables);
  if (!config.ok()) return CheckRefusal(config.status());
  CheckTaken(*config);
}

}  // namespace ipp::config
