#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace ipp::simulator {

// Appends JSON text to one string. The caller keeps the nesting right; strings must be UTF-8.
class JsonWriter {
 public:
  JsonWriter() { text_.reserve(512); }

  JsonWriter& BeginObject() { return Open('{'); }
  JsonWriter& EndObject() { return Close('}'); }
  JsonWriter& BeginArray() { return Open('['); }
  JsonWriter& EndArray() { return Close(']'); }
  JsonWriter& Key(std::string_view name);
  JsonWriter& String(std::string_view value);
  JsonWriter& Integer(int64_t value) { return Raw(std::to_string(value)); }
  JsonWriter& Number(double value);  // finite
  JsonWriter& Bool(bool value) { return Raw(value ? "true" : "false"); }
  JsonWriter& Null() { return Raw("null"); }
  JsonWriter& StringMap(const std::map<std::string, std::string>& map);

  // A value that is JSON text already.
  JsonWriter& Raw(std::string_view json);

  std::string Take() { return std::move(text_); }

 private:
  JsonWriter& Open(char bracket);
  JsonWriter& Close(char bracket);
  void Separate();
  void Quote(std::string_view value);

  std::string text_;
  bool need_comma_ = false;
};

}  // namespace ipp::simulator
