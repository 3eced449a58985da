#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ipp::routes {

// Appends `text` with every byte but RFC 3986's unreserved ones percent-encoded.
void AppendPercentEncoded(absl::string_view text, std::string* out);

// "/ipp/v1/sessions/{session_id}/cancel": literal segments and whole-segment variables. Immutable.
class PathTemplate {
 public:
  // Begins with '/', holds no query, no fragment, no empty segment, no "." or "..", nothing that
  // would need an escape; a variable once.
  static absl::StatusOr<PathTemplate> Parse(absl::string_view text);

  const std::vector<std::string>& variables() const { return variables_; }

  // The path with each variable's value percent-encoded, so that a value can never become another
  // path. Refuses, naming the variable, an empty value and "." and "..", which URL parsers on the
  // way may resolve even when encoded.
  absl::StatusOr<std::string> Expand(
      const std::function<std::string(size_t variable)>& value) const;

 private:
  std::vector<std::string>
      literals_;  // one more than variables: what stands before, between, behind
  std::vector<std::string> variables_;
};

}  // namespace ipp::routes
