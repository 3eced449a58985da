#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ipp::ippctl {

// What `-o jsonpath=` takes: kubectl's JSONPath templates, as far as its documentation's simple
// examples go. Text outside braces is printed as it is; inside them are
//   .name  ['name']  [0]  [-1]  [0:2]  [*]  [?(@.path=="text")]  [?(@.path!="text")]
//   {range .rows[*]} … {end}, and "text" with \n and \t.
// A template without braces is one path. Several values of one path are separated by a space;
// objects and lists are printed as JSON; what is not there prints nothing.
class JsonPath {
 public:
  // INVALID_ARGUMENT, with a sentence for the user.
  static absl::StatusOr<JsonPath> Parse(absl::string_view text);
  ~JsonPath();
  JsonPath(JsonPath&&) noexcept;
  JsonPath& operator=(JsonPath&&) noexcept;

  // The template filled in from `json`, which must be JSON; ends with a newline unless it is empty.
  std::string Apply(const std::string& json) const;

 private:
  struct Part;
  struct Parser;
  JsonPath();
  std::unique_ptr<Part> root_;
};

}  // namespace ipp::ippctl
