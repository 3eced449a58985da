#include "server/base/identifiers.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "google/protobuf/descriptor.pb.h"
#include "server/base/uuid.h"

namespace ipp {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

bool NeedsChange(const std::string& text) {
  return std::any_of(text.begin(), text.end(), absl::ascii_isupper) && IsUuid(text);
}

}  // namespace

bool IsIdentifier(const FieldDescriptor& field) {
  // The option is found by name, so that this module does not depend on the contract. Any message
  // of the contract that is linked in brings the option along.
  static const FieldDescriptor* const mark =
      google::protobuf::DescriptorPool::generated_pool()->FindExtensionByName(
          "kustom.ipp.v1.identifier");
  const google::protobuf::FieldOptions& options = field.options();
  return mark != nullptr && options.GetReflection()->GetBool(options, mark);
}

IdentifierFields::IdentifierFields(const Descriptor* type) {
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* const field = type->field(i);
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING && IsIdentifier(*field)) {
      strings_.push_back(field);
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field->is_map()) {
      // The recursion ends, since no message of the contract contains itself.
      auto fields = std::make_unique<IdentifierFields>(field->message_type());
      if (!fields->empty()) nested_.push_back({field, std::move(fields)});
    }
  }
}

void IdentifierFields::Canonicalize(Message* message) const {
  const Reflection& reflection = *message->GetReflection();
  std::string scratch;
  for (const FieldDescriptor* field : strings_) {
    if (!field->is_repeated()) {
      const std::string& text = reflection.GetStringReference(*message, field, &scratch);
      if (NeedsChange(text)) reflection.SetString(message, field, CanonicalUuid(text));
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(*message, field); ++i) {
      const std::string& text = reflection.GetRepeatedStringReference(*message, field, i, &scratch);
      if (NeedsChange(text)) {
        reflection.SetRepeatedString(message, field, i, CanonicalUuid(text));
      }
    }
  }
  for (const Nested& nested : nested_) {
    if (!nested.field->is_repeated()) {
      if (!reflection.HasField(*message, nested.field)) continue;
      nested.fields->Canonicalize(reflection.MutableMessage(message, nested.field));
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(*message, nested.field); ++i) {
      nested.fields->Canonicalize(reflection.MutableRepeatedMessage(message, nested.field, i));
    }
  }
}

}  // namespace ipp
