#include "server/base/masked_text.h"

#include <memory>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/text_format.h"

namespace ipp {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

bool IsSensitive(const FieldDescriptor& field) {
  // The option is found by name, so that this module does not depend on the contract. Any message
  // of the contract that is linked in brings the option along.
  static const FieldDescriptor* const mark =
      google::protobuf::DescriptorPool::generated_pool()->FindExtensionByName(
          "kustom.ipp.v1.sensitive");
  const google::protobuf::FieldOptions& options = field.options();
  return mark != nullptr && options.GetReflection()->GetBool(options, mark);
}

void Mask(Message* message, const FieldDescriptor* field) {
  const Reflection& reflection = *message->GetReflection();
  if (field->cpp_type() != FieldDescriptor::CPPTYPE_STRING) {
    return reflection.ClearField(message, field);
  }
  if (!field->is_repeated()) return reflection.SetString(message, field, std::string(kMask));
  for (int i = 0; i < reflection.FieldSize(*message, field); ++i) {
    reflection.SetRepeatedString(message, field, i, std::string(kMask));
  }
}

}  // namespace

void MaskSensitive(Message* message) {
  const Reflection& reflection = *message->GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(*message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (IsSensitive(*field)) {
      Mask(message, field);
    } else if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      continue;
    } else if (field->is_repeated()) {  // maps too: their entries are messages
      for (int i = 0; i < reflection.FieldSize(*message, field); ++i) {
        MaskSensitive(reflection.MutableRepeatedMessage(message, field, i));
      }
    } else {
      MaskSensitive(reflection.MutableMessage(message, field));
    }
  }
}

std::string MaskedText(const Message& message) {
  const std::unique_ptr<Message> copy(message.New());
  copy->CopyFrom(message);
  MaskSensitive(copy.get());
  google::protobuf::TextFormat::Printer printer;
  printer.SetSingleLineMode(true);
  printer.SetHideUnknownFields(true);
  std::string text;
  if (!printer.PrintToString(*copy, &text)) return "";
  if (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

}  // namespace ipp
