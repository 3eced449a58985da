#include "tests/json/plain_json.h"

#include <rapidjson/document.h>
#include <rapidjson/reader.h>

#include <cmath>
#include <set>
#include <string>

#include "absl/strings/match.h"

namespace ipp::json::test {
namespace {

constexpr unsigned kFlags = rapidjson::kParseValidateEncodingFlag | rapidjson::kParseIterativeFlag;
constexpr double kExact = 9007199254740992;  // 2^53

bool HasKeysOnce(const rapidjson::Value& value) {
  if (value.IsArray()) {
    for (const auto& item : value.GetArray()) {
      if (!HasKeysOnce(item)) return false;
    }
  }
  if (!value.IsObject()) return true;
  std::set<std::string> keys;
  for (const auto& member : value.GetObject()) {
    if (!keys.emplace(member.name.GetString(), member.name.GetStringLength()).second) return false;
    if (!HasKeysOnce(member.value)) return false;
  }
  return true;
}

bool IsPlain(const rapidjson::Value& value) {
  if (value.IsNull()) return false;
  if (value.IsDouble()) return std::abs(value.GetDouble()) < kExact;
  if (value.IsArray()) {
    for (const auto& item : value.GetArray()) {
      if (!IsPlain(item)) return false;
    }
  }
  if (!value.IsObject()) return true;
  for (const auto& member : value.GetObject()) {
    const absl::string_view key(member.name.GetString(), member.name.GetStringLength());
    if (absl::StartsWith(key, "colour") || key == "paper") return false;
    if (!IsPlain(member.value)) return false;
  }
  return true;
}

bool Parse(absl::string_view text, rapidjson::Document* document) {
  document->Parse<kFlags>(text.data(), text.size());
  return !document->HasParseError() && document->IsObject() && HasKeysOnce(*document);
}

}  // namespace

bool IsObject(absl::string_view text) {
  rapidjson::Document document;
  return Parse(text, &document);
}

bool IsPlain(absl::string_view text) {
  rapidjson::Document document;
  return Parse(text, &document) && IsPlain(document);
}

}  // namespace ipp::json::test
