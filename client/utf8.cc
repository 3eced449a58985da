#include "client/utf8.h"

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"

namespace ipp::client {
namespace {

using google::protobuf::FieldDescriptor;

// How many bytes the character at the beginning has; 0 if there is none.
size_t CharacterSize(absl::string_view bytes) {
  const auto at = [bytes](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned first = at(0);
  if (first < 0x80) return 1;
  const size_t size = first >> 5 == 0x6 ? 2 : first >> 4 == 0xe ? 3 : first >> 3 == 0x1e ? 4 : 0;
  if (size == 0 || size > bytes.size()) return 0;
  uint32_t character = first & (0x7f >> size);
  for (size_t i = 1; i < size; ++i) {
    if (at(i) >> 6 != 0x2) return 0;
    character = character << 6 | (at(i) & 0x3f);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = character >= 0xd800 && character <= 0xdfff;
  return character >= kLeast[size] && character <= 0x10ffff && !surrogate ? size : 0;
}

}  // namespace

bool IsUtf8(absl::string_view bytes) {
  while (!bytes.empty()) {
    const size_t size = CharacterSize(bytes);
    if (size == 0) return false;
    bytes.remove_prefix(size);
  }
  return true;
}

// Map fields come as repeated messages of key and value.
std::optional<std::string> FieldNotUtf8(const google::protobuf::Message& message) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const bool is_text = field->type() == FieldDescriptor::TYPE_STRING;
    const bool is_message = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    if (!is_text && !is_message) continue;
    const int count = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      const std::string path = field->is_repeated() ? absl::StrCat(field->name(), "[", i, "]")
                                                    : std::string(field->name());
      if (is_message) {
        const auto inner =
            FieldNotUtf8(field->is_repeated() ? reflection.GetRepeatedMessage(message, field, i)
                                              : reflection.GetMessage(message, field));
        if (inner) return absl::StrCat(path, ".", *inner);
        continue;
      }
      std::string scratch;
      const std::string& text =
          field->is_repeated() ? reflection.GetRepeatedStringReference(message, field, i, &scratch)
                               : reflection.GetStringReference(message, field, &scratch);
      if (!IsUtf8(text)) return path;
    }
  }
  return std::nullopt;
}

}  // namespace ipp::client
