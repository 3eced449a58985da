#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ipp::routes {

// Appends `text`, percent-encoding every byte except RFC 3986's unreserved characters.
void AppendPercentEncoded(absl::string_view text, std::string* out);

// A path with variables, "/ipp/v1/sessions/{session_id}/cancel": each segment is a literal or a
// variable. Immutable.
class PathTemplate {
 public:
  // The text must begin with '/' and have no query, no fragment, no empty segment, no "." or "..",
  // and nothing that would need an escape; a variable may occur once.
  static absl::StatusOr<PathTemplate> Parse(absl::string_view text);

  const std::vector<std::string>& variables() const { return variables_; }

  // The path with each variable's value percent-encoded, so that a value can never change the
  // path's structure. An error, naming the variable, for an empty value and for "." and "..", which
  // URL parsers between here and the upstream may resolve even if they are encoded.
  absl::StatusOr<std::string> Expand(
      const std::function<std::string(size_t variable)>& value) const;

 private:
  std::vector<std::string> literals_;  // one more than variables: before, between and after them
  std::vector<std::string> variables_;
};

}  // namespace ipp::routes
