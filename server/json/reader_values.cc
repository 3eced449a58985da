#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/timestamp.pb.h"
#include "server/json/number.h"
#include "server/json/reader.h"
#include "server/json/timestamp.h"

// The part of Reader that converts one scalar token into one field value.
namespace ipp::json {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// One interface for Reflection's SetX of a singular field and AddX of a repeated one.
struct Store {
  const Reflection* reflection;
  Message* message;
  const FieldDescriptor* field;
  bool add;

  void operator()(int32_t v) const {
    add ? reflection->AddInt32(message, field, v) : reflection->SetInt32(message, field, v);
  }
  void operator()(int64_t v) const {
    add ? reflection->AddInt64(message, field, v) : reflection->SetInt64(message, field, v);
  }
  void operator()(uint32_t v) const {
    add ? reflection->AddUInt32(message, field, v) : reflection->SetUInt32(message, field, v);
  }
  void operator()(uint64_t v) const {
    add ? reflection->AddUInt64(message, field, v) : reflection->SetUInt64(message, field, v);
  }
  void operator()(float v) const {
    add ? reflection->AddFloat(message, field, v) : reflection->SetFloat(message, field, v);
  }
  void operator()(double v) const {
    add ? reflection->AddDouble(message, field, v) : reflection->SetDouble(message, field, v);
  }
  void operator()(bool v) const {
    add ? reflection->AddBool(message, field, v) : reflection->SetBool(message, field, v);
  }
  void operator()(std::string v) const {
    add ? reflection->AddString(message, field, std::move(v))
        : reflection->SetString(message, field, std::move(v));
  }
  void Enum(int v) const {
    add ? reflection->AddEnumValue(message, field, v) : reflection->SetEnumValue(message, field, v);
  }
  Message* Child() const {
    return add ? reflection->AddMessage(message, field)
               : reflection->MutableMessage(message, field);
  }
};

Store StoreTo(const FieldPlan& field, const MessagePlan& plan, Message* message) {
  return {plan.reflection, message, field.field, field.shape == Shape::kRepeated};
}

bool IsTruth(absl::string_view text) {
  return absl::EqualsIgnoreCase(text, "true") || absl::EqualsIgnoreCase(text, "false");
}

// Null if the enum does not have the word.
const EnumWordPlan* FindWord(const FieldPlan& field, absl::string_view word, bool any_case) {
  for (const EnumWordPlan& known : field.words) {
    if (word == known.word) return &known;
  }
  if (!any_case) return nullptr;
  for (const EnumWordPlan& known : field.words) {
    if (absl::EqualsIgnoreCase(word, known.word)) return &known;
  }
  return nullptr;
}

}  // namespace

bool Reader::Set(const FieldPlan& field, const MessagePlan& plan, Message* message, Token token,
                 absl::string_view text) {
  if (token == Token::kSpoilt) return Refuse("not UTF-8");
  switch (field.kind) {
    case Kind::kString:
      StoreTo(field, plan, message)(std::string(text));
      return true;
    case Kind::kInt64:
      return SetWhole<int64_t>(field, plan, message, token, text);
    case Kind::kInt32:
      return SetWhole<int32_t>(field, plan, message, token, text);
    case Kind::kUint64:
      return SetWhole<uint64_t>(field, plan, message, token, text);
    case Kind::kUint32:
      return SetWhole<uint32_t>(field, plan, message, token, text);
    case Kind::kFloat:
      return SetReal<float>(field, plan, message, token, text);
    case Kind::kDouble:
      return SetReal<double>(field, plan, message, token, text);
    case Kind::kBool:
      if (token != Token::kBool && !(options_.lenient && IsTruth(text))) return Expected(field);
      StoreTo(field, plan, message)(absl::EqualsIgnoreCase(text, "true"));
      return true;
    case Kind::kEnum:
      if (token != Token::kString) return Expected(field);
      return SetEnum(field, plan, message, text);
    case Kind::kTimestamp:
      if (token != Token::kString) return Expected(field);
      return SetTimestamp(field, plan, message, text);
    case Kind::kBytes: {
      if (token != Token::kString) return Expected(field);
      std::string bytes;
      if (!absl::Base64Unescape(text, &bytes)) return Refuse("not base64");
      StoreTo(field, plan, message)(std::move(bytes));
      return true;
    }
    case Kind::kMessage:
      break;
  }
  return Expected(field);
}

template <typename Int>
bool Reader::SetWhole(const FieldPlan& field, const MessagePlan& plan, Message* message,
                      Token token, absl::string_view text) {
  if (token == Token::kBool) return Expected(field);
  Int value = 0;
  switch (ParseWhole(text, token == Token::kString, &value)) {
    case NumberError::kNone:
      StoreTo(field, plan, message)(value);
      return true;
    case NumberError::kNotWhole:
      return Expected(field);
    case NumberError::kOutOfRange:
      break;
  }
  return Refuse("number out of range");
}

template <typename Float>
bool Reader::SetReal(const FieldPlan& field, const MessagePlan& plan, Message* message, Token token,
                     absl::string_view text) {
  if (token != Token::kNumber) return Expected(field);
  Float value = 0;
  if (!ParseReal(text, &value)) return Refuse("number out of range");
  StoreTo(field, plan, message)(value);
  return true;
}

bool Reader::SetEnum(const FieldPlan& field, const MessagePlan& plan, Message* message,
                     absl::string_view word) {
  const EnumWordPlan* known = FindWord(field, word, options_.lenient);
  if (known != nullptr) {
    StoreTo(field, plan, message).Enum(known->number);
    // Clears the value that an earlier occurrence of the key may have left.
    if (field.raw != nullptr) plan.reflection->ClearField(message, field.raw);
    return true;
  }
  if (options_.lenient && (word.empty() || field.raw == nullptr)) return Refuse("no known word");
  StoreTo(field, plan, message).Enum(0);
  if (field.raw != nullptr) {
    plan.reflection->SetString(message, field.raw, std::string(word));
  }
  return true;
}

bool Reader::SetTimestamp(const FieldPlan& field, const MessagePlan& plan, Message* message,
                          absl::string_view text) {
  int64_t seconds = 0;
  int32_t nanos = 0;
  const TimeForm form = options_.lenient ? TimeForm::kIso8601 : TimeForm::kRfc3339;
  if (!ParseTimestamp(text, &seconds, &nanos, form)) return Refuse("not an RFC 3339 time");
  // Plans are of generated types only, so this is the generated Timestamp.
  auto* time = static_cast<google::protobuf::Timestamp*>(StoreTo(field, plan, message).Child());
  time->set_seconds(seconds);
  time->set_nanos(nanos);
  return true;
}

}  // namespace ipp::json
