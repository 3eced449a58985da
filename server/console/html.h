#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace ipp::console {

// HTML as it is written: what comes from outside is escaped, tags are literals of the code.
class Html {
 public:
  // A literal of the code.
  Html& Raw(absl::string_view html) {
    out_.append(html.data(), html.size());
    return *this;
  }
  // Anything else; also right inside a quoted attribute.
  Html& Text(absl::string_view text);

  // <a href="path?name=value&…">text</a>
  Html& Link(absl::string_view path,
             const std::vector<std::pair<std::string, std::string>>& parameters,
             absl::string_view text);
  // A table. Cells are HTML.
  Html& Table(absl::string_view caption, const std::vector<std::string>& heads,
              const std::vector<std::vector<std::string>>& rows);

  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
};

// `text` as a cell.
std::string Cell(absl::string_view text);

// A whole page around `body`.
std::string Page(absl::string_view title, absl::string_view body);

// The parameters of a request target ("/console?q=4711"): percent-decoding, '+' for a space. Of a
// name that comes twice the first one. Source: WHATWG URL, application/x-www-form-urlencoded.
std::vector<std::pair<std::string, std::string>> ParametersOf(absl::string_view target);
std::string ParameterOf(absl::string_view target, absl::string_view name);

}  // namespace ipp::console
