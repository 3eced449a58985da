#include <yaml-cpp/yaml.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/message.h"
#include "server/config/config.h"
#include "server/config/field_kinds.h"

namespace ipp::config {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// "https://user:password@host/" → "https://***@host/".
std::string WithoutUserinfo(const std::string& text) {
  const size_t scheme = text.find("://");
  if (scheme == std::string::npos) return text;
  const size_t begin = scheme + 3;
  // Uses the last '@' before the path: a password may contain one that was not escaped.
  const absl::string_view authority =
      absl::string_view(text).substr(begin, text.find_first_of("/?#", begin) - begin);
  const size_t at = authority.rfind('@');
  if (at == absl::string_view::npos) return text;
  return absl::StrCat(text.substr(0, begin), "***", text.substr(begin + at));
}

void EmitMapping(const Message& message, YAML::Emitter* out);

// `index` is -1 for a field that is not repeated.
void EmitValue(const Message& message, const FieldDescriptor* field, int index,
               YAML::Emitter* out) {
  const google::protobuf::Reflection* reflection = message.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      const Message& value = index < 0 ? reflection->GetMessage(message, field)
                                       : reflection->GetRepeatedMessage(message, field, index);
      if (!IsDuration(field)) return EmitMapping(value, out);
      google::protobuf::Duration duration;
      duration.CopyFrom(value);
      *out << absl::FormatDuration(ToDuration(duration));
      return;
    }
    case FieldDescriptor::CPPTYPE_STRING:
      *out << WithoutUserinfo(index < 0 ? reflection->GetString(message, field)
                                        : reflection->GetRepeatedString(message, field, index));
      return;
    case FieldDescriptor::CPPTYPE_BOOL:
      *out << reflection->GetBool(message, field);
      return;
    case FieldDescriptor::CPPTYPE_INT32:
      *out << reflection->GetInt32(message, field);
      return;
    default:
      // The reader supports no other type either.
      *out << YAML::Null;
  }
}

void EmitMapping(const Message& message, YAML::Emitter* out) {
  const google::protobuf::Reflection* reflection = message.GetReflection();
  const google::protobuf::Descriptor* type = message.GetDescriptor();
  *out << YAML::BeginMap;
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (field->has_presence() && !reflection->HasField(message, field)) continue;
    *out << YAML::Key << std::string(field->name()) << YAML::Value;
    if (!field->is_repeated()) {
      EmitValue(message, field, -1, out);
      continue;
    }
    const int size = reflection->FieldSize(message, field);
    // In block style an empty list would be read back as null.
    *out << (size == 0 ? YAML::Flow : YAML::Block) << YAML::BeginSeq;
    for (int item = 0; item < size; ++item) EmitValue(message, field, item, out);
    *out << YAML::EndSeq;
  }
  *out << YAML::EndMap;
}

}  // namespace

std::string MaskedYaml(const Config& config) {
  YAML::Emitter out;
  EmitMapping(config, &out);
  return absl::StrCat(out.c_str(), "\n");
}

}  // namespace ipp::config
