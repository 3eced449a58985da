#include "tests/json/random_message.h"

#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "google/protobuf/timestamp.pb.h"
#include "kustom/ipp/v1/annotations.pb.h"

namespace ipp::json::test {
namespace {

using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::Timestamp;

constexpr int kMaxDepth = 2;

int Pick(std::mt19937* random, int count) {
  return std::uniform_int_distribution<int>(0, count - 1)(*random);
}

template <typename Int>
Int Number(std::mt19937* random) {
  using Limits = std::numeric_limits<Int>;
  switch (Pick(random, 5)) {
    case 0:
      return Limits::max();
    case 1:
      return Limits::min();
    case 2:
      return static_cast<Int>(Pick(random, 3));
    default:
      return std::uniform_int_distribution<Int>(Limits::min(), Limits::max())(*random);
  }
}

double Real(std::mt19937* random) {
  return std::uniform_real_distribution<double>(-1e6, 1e6)(*random);
}

std::string Text(std::mt19937* random) {
  static const auto* const pieces = new std::vector<std::string>{"a",    "Z",
                                                                 "0",    " ",
                                                                 "\"",   "\\",
                                                                 "/",    "\n",
                                                                 "\t",   "\b",
                                                                 "\x01", "\x1f",
                                                                 "\x7f", "{",
                                                                 "}",    "[",
                                                                 ",",    ":",
                                                                 "å",    "€",
                                                                 "😀",    "\xe2\x80\xa8",
                                                                 "<",    "&",
                                                                 "'",    "null",
                                                                 "1e5",  "\xf4\x8f\xbf\xbf"};
  std::string text;
  for (int i = Pick(random, 12); i > 0; --i) {
    text += (*pieces)[static_cast<size_t>(Pick(random, static_cast<int>(pieces->size())))];
  }
  return text;
}

void FillTime(std::mt19937* random, Message* message) {
  auto* time = dynamic_cast<Timestamp*>(message);
  time->set_seconds(std::uniform_int_distribution<int64_t>(-62135596800, 253402300799)(*random));
  static constexpr int32_t kUnits[] = {1, 1000, 1000000};
  if (Pick(random, 3) > 0) {
    const int32_t unit = kUnits[Pick(random, 3)];
    time->set_nanos(std::uniform_int_distribution<int32_t>(0, 1'000'000'000 / unit - 1)(*random) *
                    unit);
  }
}

void FillChild(std::mt19937* random, Message* child, int depth) {
  if (child->GetDescriptor() == Timestamp::descriptor()) {
    FillTime(random, child);
  } else {
    FillAtRandom(random, child, depth + 1);
  }
}

int EnumNumber(std::mt19937* random, const EnumDescriptor* type) {
  return type->value(Pick(random, type->value_count()))->number();
}

void AddValue(std::mt19937* random, const FieldDescriptor* field, Message* message, int depth) {
  const Reflection* to = message->GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return to->AddInt32(message, field, Number<int32_t>(random));
    case FieldDescriptor::CPPTYPE_INT64:
      return to->AddInt64(message, field, Number<int64_t>(random));
    case FieldDescriptor::CPPTYPE_UINT32:
      return to->AddUInt32(message, field, Number<uint32_t>(random));
    case FieldDescriptor::CPPTYPE_UINT64:
      return to->AddUInt64(message, field, Number<uint64_t>(random));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return to->AddFloat(message, field, static_cast<float>(Real(random)));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return to->AddDouble(message, field, Real(random));
    case FieldDescriptor::CPPTYPE_BOOL:
      return to->AddBool(message, field, Pick(random, 2) == 1);
    case FieldDescriptor::CPPTYPE_ENUM:
      return to->AddEnumValue(message, field, EnumNumber(random, field->enum_type()));
    case FieldDescriptor::CPPTYPE_STRING:
      return to->AddString(message, field, Text(random));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      FillChild(random, to->AddMessage(message, field), depth);
  }
}

void SetValue(std::mt19937* random, const FieldDescriptor* field, Message* message, int depth) {
  const Reflection* to = message->GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return to->SetInt32(message, field, Number<int32_t>(random));
    case FieldDescriptor::CPPTYPE_INT64:
      return to->SetInt64(message, field, Number<int64_t>(random));
    case FieldDescriptor::CPPTYPE_UINT32:
      return to->SetUInt32(message, field, Number<uint32_t>(random));
    case FieldDescriptor::CPPTYPE_UINT64:
      return to->SetUInt64(message, field, Number<uint64_t>(random));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return to->SetFloat(message, field, static_cast<float>(Real(random)));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return to->SetDouble(message, field, Real(random));
    case FieldDescriptor::CPPTYPE_BOOL:
      return to->SetBool(message, field, Pick(random, 2) == 1);
    case FieldDescriptor::CPPTYPE_ENUM:
      return to->SetEnumValue(message, field, EnumNumber(random, field->enum_type()));
    case FieldDescriptor::CPPTYPE_STRING:
      return to->SetString(message, field, Text(random));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      FillChild(random, to->MutableMessage(message, field), depth);
  }
}

// Keys of their own (k0, k1, …, or numbers), so that no two are equal and none is a field's name.
void AddEntry(std::mt19937* random, const FieldDescriptor* map, Message* message, int number,
              int depth) {
  Message* entry = message->GetReflection()->AddMessage(message, map);
  const FieldDescriptor* key = map->message_type()->map_key();
  const Reflection* to = entry->GetReflection();
  switch (key->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      to->SetString(entry, key, "k" + std::to_string(number) + Text(random));
      break;
    case FieldDescriptor::CPPTYPE_INT64:
      to->SetInt64(entry, key, -number);
      break;
    case FieldDescriptor::CPPTYPE_UINT32:
      to->SetUInt32(entry, key, static_cast<uint32_t>(number));
      break;
    case FieldDescriptor::CPPTYPE_BOOL:
      to->SetBool(entry, key, number == 1);
      break;
    default:
      std::abort();  // no test message has such a key
  }
  SetValue(random, map->message_type()->map_value(), entry, depth);
}

bool Nests(const FieldDescriptor* field) {
  const FieldDescriptor* value = field->is_map() ? field->message_type()->map_value() : field;
  return value->message_type() != nullptr;
}

bool Speaks(const FieldDescriptor* field) {
  if (field->options().HasExtension(kustom::ipp::v1::raw_of)) return false;
  if (field->options().HasExtension(kustom::ipp::v1::unreadable)) return false;
  if (field->message_type() == nullptr) return true;
  return field->message_type() == Timestamp::descriptor() ||
         !absl::StartsWith(field->message_type()->full_name(), "google.protobuf.");
}

}  // namespace

void FillAtRandom(std::mt19937* random, Message* message, int depth) {
  for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message->GetDescriptor()->field(i);
    if (!Speaks(field) || Pick(random, 3) == 0) continue;
    if (depth >= kMaxDepth && Nests(field)) continue;
    if (field->is_map()) {
      for (int n = Pick(random, 3); n > 0; --n) AddEntry(random, field, message, n % 2, depth);
    } else if (field->is_repeated()) {
      for (int n = Pick(random, 4); n > 0; --n) AddValue(random, field, message, depth);
    } else {
      SetValue(random, field, message, depth);
    }
  }
}

void ClearRawFields(Message* message) {
  const Reflection* reflection = message->GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(*message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->options().HasExtension(kustom::ipp::v1::raw_of) ||
        field->options().HasExtension(kustom::ipp::v1::unreadable)) {
      reflection->ClearField(message, field);
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      const int count = field->is_repeated() ? reflection->FieldSize(*message, field) : 1;
      for (int i = 0; i < count; ++i) {
        ClearRawFields(field->is_repeated() ? reflection->MutableRepeatedMessage(message, field, i)
                                            : reflection->MutableMessage(message, field));
      }
    }
  }
}

}  // namespace ipp::json::test
