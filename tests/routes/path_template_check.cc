#include "tests/routes/path_template_check.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "server/base/error.h"
#include "server/routes/path_template.h"
#include "tests/support/require.h"

namespace ipp::routes {
namespace {

using Texts = std::vector<std::string>;

bool CanBeSent(const std::string& value) { return !value.empty() && value != "." && value != ".."; }

// What a server makes of a segment.
std::string Unescaped(absl::string_view segment) {
  std::string text;
  for (size_t i = 0; i < segment.size(); ++i) {
    if (segment[i] != '%') {
      Require(absl::ascii_isalnum(static_cast<unsigned char>(segment[i])) ||
                  absl::StrContains("-._~", segment[i]),
              "a character that needs an escape", segment);
      text.push_back(segment[i]);
      continue;
    }
    const std::string digits(segment.substr(i + 1, 2));
    Require(digits.size() == 2 && absl::ascii_isxdigit(static_cast<unsigned char>(digits[0])) &&
                absl::ascii_isxdigit(static_cast<unsigned char>(digits[1])),
            "half an escape", segment);
    text.push_back(static_cast<char>(std::stoi(digits, nullptr, 16)));
    i += 2;
  }
  return text;
}

void CheckRefusal(const absl::Status& status, const PathTemplate& path, const Texts& values) {
  const auto bad = std::find_if_not(values.begin(), values.end(), CanBeSent);
  Require(bad != values.end(), "good values were refused", status.ToString());
  const std::vector<FieldViolation> violations = GetErrorDetail(status).violations;
  Require(status.code() == absl::StatusCode::kInvalidArgument && violations.size() == 1 &&
              violations[0].field == path.variables()[static_cast<size_t>(bad - values.begin())],
          "the variable is not named", status.ToString());
}

void CheckExpanded(const std::string& expanded, absl::string_view text, const Texts& values) {
  const std::vector<absl::string_view> want = absl::StrSplit(text, '/');
  const std::vector<absl::string_view> have = absl::StrSplit(expanded, '/');
  Require(want.size() == have.size() && have[0].empty(), "the segments do not match", expanded);
  size_t variable = 0;
  for (size_t i = 1; i < have.size(); ++i) {
    Require(CanBeSent(std::string(have[i])), "a segment that is none", expanded);
    const bool literal = want[i].front() != '{';
    Require(Unescaped(have[i]) == (literal ? want[i] : values[variable]), "another value",
            expanded);
    if (!literal) ++variable;
  }
}

}  // namespace

void CheckPathTemplate(absl::string_view bytes) {
  Texts lines = absl::StrSplit(bytes, '\n');
  const std::string text = lines[0];
  const absl::StatusOr<PathTemplate> path = PathTemplate::Parse(text);
  if (!path.ok()) {
    return Require(path.status().code() == absl::StatusCode::kInvalidArgument, "refused otherwise");
  }
  lines.erase(lines.begin());
  lines.resize(path->variables().size());
  const absl::StatusOr<std::string> expanded = path->Expand([&](size_t i) { return lines[i]; });
  if (!expanded.ok()) return CheckRefusal(expanded.status(), *path, lines);
  Require(std::all_of(lines.begin(), lines.end(), CanBeSent), "a value that cannot be sent");
  CheckExpanded(*expanded, text, lines);
}

}  // namespace ipp::routes
