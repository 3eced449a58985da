#include "client/ippctl/document.h"

#include <yaml-cpp/yaml.h>

#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/ippctl/json_text.h"

namespace ipp::ippctl {
namespace {

// Whether YAML 1.1 or 1.2 may read the unquoted text as anything but this string.
bool MayBeMisread(const std::string& text) {
  if (text.empty()) return true;
  const char first = text.front();
  if (absl::ascii_isdigit(static_cast<unsigned char>(first)) || first == '+' || first == '-' ||
      first == '.') {
    // Numbers in any base, dates and times; a UUID has other letters than these.
    if (text.find_first_not_of("0123456789abcdefABCDEF+-.:_xXoTZ ") == std::string::npos) {
      char* end = nullptr;
      std::strtod(text.c_str(), &end);
      if (*end == '\0' || text.find_first_of("abcdfABCDF") == std::string::npos) return true;
    }
  }
  for (const char* word : {"true", "false", "null", "yes", "no", "on", "off", "y", "n", "~", "nan",
                           "inf", ".nan", ".inf"}) {
    if (absl::AsciiStrToLower(text) == word) return true;
  }
  return false;
}

void Emit(const YAML::Node& node, YAML::Emitter* out) {
  switch (node.Type()) {
    case YAML::NodeType::Map:
      if (node.size() == 0) *out << YAML::Flow;
      *out << YAML::BeginMap;
      for (const auto& member : node) {
        *out << YAML::Key;
        Emit(member.first, out);
        *out << YAML::Value;
        Emit(member.second, out);
      }
      *out << YAML::EndMap;
      break;
    case YAML::NodeType::Sequence:
      if (node.size() == 0) *out << YAML::Flow;
      *out << YAML::BeginSeq;
      for (const auto& item : node) Emit(item, out);
      *out << YAML::EndSeq;
      break;
    case YAML::NodeType::Scalar:
      // "!" is the tag of what was quoted: a string.
      if (node.Tag() == "!" && MayBeMisread(node.Scalar())) *out << YAML::DoubleQuoted;
      *out << node.Scalar();
      break;
    case YAML::NodeType::Null:
    case YAML::NodeType::Undefined:
      *out << YAML::Null;
      break;
  }
}

}  // namespace

std::string WithMember(absl::string_view object, absl::string_view name, absl::string_view value) {
  const size_t brace = object.find('{');
  const absl::string_view rest = object.substr(brace + 1);
  const bool indented = !rest.empty() && rest.front() == '\n';
  const size_t next = rest.find_first_not_of(" \n");
  const bool empty = next == absl::string_view::npos || rest[next] == '}';
  return absl::StrCat("{", indented ? "\n " : "", JsonString(name), indented ? ": " : ":", value,
                      empty ? "" : ",", indented && empty ? "\n" : "", rest);
}

std::string YamlOf(const std::string& json) {
  YAML::Emitter out;
  Emit(YAML::Load(json), &out);
  return absl::StrCat(out.c_str(), "\n");
}

}  // namespace ipp::ippctl
