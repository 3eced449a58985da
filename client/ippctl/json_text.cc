#include "client/ippctl/json_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace ipp::ippctl {

std::string JsonString(absl::string_view text) {
  std::string json = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppendFormat(&json, "\\u%04x", static_cast<unsigned>(c));
    } else {
      json += c;
    }
  }
  return json += '"';
}

JsonObject& JsonObject::AddText(absl::string_view name, absl::string_view json) {
  absl::StrAppend(&members_, members_.empty() ? "" : ",", JsonString(name), ":", json);
  return *this;
}

JsonObject& JsonObject::Add(absl::string_view name, absl::string_view value) {
  return AddText(name, JsonString(value));
}
JsonObject& JsonObject::Add(absl::string_view name, const char* value) {
  return AddText(name, JsonString(value));
}
JsonObject& JsonObject::Add(absl::string_view name, int64_t value) {
  return AddText(name, absl::StrCat(value));
}
JsonObject& JsonObject::Add(absl::string_view name, bool value) {
  return AddText(name, value ? "true" : "false");
}
JsonObject& JsonObject::Add(absl::string_view name, const JsonObject& value) {
  return AddText(name, value.text());
}
JsonObject& JsonObject::Add(absl::string_view name, const std::string& value) {
  return AddText(name, JsonString(value));
}
JsonObject& JsonObject::Add(absl::string_view name, const std::vector<JsonObject>& values) {
  return AddText(name, absl::StrCat("[",
                                    absl::StrJoin(values, ",",
                                                  [](std::string* out, const JsonObject& one) {
                                                    absl::StrAppend(out, one.text());
                                                  }),
                                    "]"));
}
JsonObject& JsonObject::AddStringOrNull(absl::string_view name, absl::string_view value) {
  return AddText(name, value.empty() ? "null" : JsonString(value));
}

}  // namespace ipp::ippctl
