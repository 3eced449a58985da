#include "server/routes/path_template.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/base/error.h"

namespace ipp::routes {
namespace {

// Segments that URL parsers between here and the upstream may resolve, even if they are encoded.
bool IsDots(absl::string_view segment) { return segment == "." || segment == ".."; }

bool NeedsNoEscape(absl::string_view segment) {
  std::string encoded;
  AppendPercentEncoded(segment, &encoded);
  return encoded == segment;
}

bool IsFieldName(absl::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '_';
  });
}

}  // namespace

void AppendPercentEncoded(absl::string_view text, std::string* out) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  for (const char c : text) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.' || c == '_' ||
        c == '~') {
      out->push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out->append({'%', kHex[byte >> 4], kHex[byte & 15]});
    }
  }
}

absl::StatusOr<PathTemplate> PathTemplate::Parse(absl::string_view text) {
  const auto wrong = [text](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("path '", text, "': ", what));
  };
  if (text.empty() || text[0] != '/') return wrong("must begin with '/'");
  PathTemplate result;
  result.literals_.emplace_back();
  for (const absl::string_view segment : absl::StrSplit(text.substr(1), '/')) {
    result.literals_.back().push_back('/');
    if (segment.empty()) return wrong("has an empty segment");
    if (segment.front() == '{' && segment.back() == '}') {
      std::string name(segment.substr(1, segment.size() - 2));
      if (!IsFieldName(name)) return wrong("has a malformed variable");
      if (std::count(result.variables_.begin(), result.variables_.end(), name) > 0) {
        return wrong(absl::StrCat("names ", name, " twice"));
      }
      result.variables_.push_back(std::move(name));
      result.literals_.emplace_back();
    } else if (!NeedsNoEscape(segment) || IsDots(segment)) {
      return wrong("a variable must be a whole segment, and a literal needs no escape");
    } else {
      absl::StrAppend(&result.literals_.back(), segment);
    }
  }
  return result;
}

absl::StatusOr<std::string> PathTemplate::Expand(
    const std::function<std::string(size_t variable)>& value) const {
  std::string path = literals_[0];
  for (size_t i = 0; i < variables_.size(); ++i) {
    const std::string text = value(i);
    if (text.empty()) return InvalidRequest({{variables_[i], "must not be empty"}});
    if (IsDots(text)) return InvalidRequest({{variables_[i], "is not an id"}});
    AppendPercentEncoded(text, &path);
    path += literals_[i + 1];
  }
  return path;
}

}  // namespace ipp::routes
