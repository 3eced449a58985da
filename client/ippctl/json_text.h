#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace ipp::ippctl {

// `text`, which must be UTF-8, as a JSON string with its quotes (RFC 8259).
std::string JsonString(absl::string_view text);

// A JSON object whose members keep their order, on one line, for what has no message of the
// contract.
class JsonObject {
 public:
  JsonObject& Add(absl::string_view name, absl::string_view value);
  JsonObject& Add(absl::string_view name, const char* value);  // else it would be a bool
  JsonObject& Add(absl::string_view name, int64_t value);
  JsonObject& Add(absl::string_view name, bool value);
  JsonObject& Add(absl::string_view name, const JsonObject& value);
  JsonObject& Add(absl::string_view name, const std::string& value);
  JsonObject& Add(absl::string_view name, const std::vector<JsonObject>& values);
  JsonObject& AddStringOrNull(absl::string_view name, absl::string_view value);  // empty: null

  std::string text() const { return "{" + members_ + "}"; }

 private:
  JsonObject& AddText(absl::string_view name, absl::string_view json);

  std::string members_;
};

}  // namespace ipp::ippctl
