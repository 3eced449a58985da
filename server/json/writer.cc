#include "server/json/writer.h"

#include <algorithm>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/timestamp.pb.h"
#include "server/json/map_keys.h"
#include "server/json/timestamp.h"

namespace ipp::json {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

rapidjson::SizeType Size(absl::string_view text) {
  return static_cast<rapidjson::SizeType>(text.size());
}

}  // namespace

Writer::Writer(std::string* out)
    : allocator_(levels_, sizeof(levels_)), sink_(out), sax_(sink_, &allocator_) {}

absl::Status Writer::Run(const MessagePlan& plan, const Message& message,
                         const FieldFilter& filter) {
  if (WriteMessage(plan, message, filter ? &filter : nullptr)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(path_, ": ", problem_));
}

bool Writer::WriteMessage(const MessagePlan& plan, const Message& message,
                          const FieldFilter* filter) {
  sax_.StartObject();
  for (const FieldPlan& field : plan.fields) {
    if (filter != nullptr && !(*filter)(field.field)) continue;
    if (!WriteField(field, plan, message)) return FailedIn(field.name);
  }
  sax_.EndObject();
  return true;
}

bool Writer::WriteField(const FieldPlan& field, const MessagePlan& plan, const Message& message) {
  if (field.written == Written::kUnlessEmpty) {
    std::string scratch;
    const std::string& text = plan.reflection->GetStringReference(message, field.field, &scratch);
    if (text.empty()) return true;
    WriteKey(field);
    return WriteString(text);
  }
  switch (field.shape) {
    case Shape::kSingular:
      if (field.written == Written::kWhenPresent &&
          !plan.reflection->HasField(message, field.field)) {
        return true;
      }
      WriteKey(field);
      return WriteValue(field, plan, message, -1);
    case Shape::kRepeated:
      return WriteRepeated(field, plan, message);
    case Shape::kMap:
      break;
  }
  return WriteMap(field, plan, message);
}

void Writer::WriteKey(const FieldPlan& field) { sax_.Key(field.name.data(), Size(field.name)); }

bool Writer::WriteRepeated(const FieldPlan& field, const MessagePlan& plan,
                           const Message& message) {
  const int size = plan.reflection->FieldSize(message, field.field);
  if (size == 0) return true;
  WriteKey(field);
  sax_.StartArray();
  for (int i = 0; i < size; ++i) {
    if (!WriteValue(field, plan, message, i)) return FailedIn(absl::StrCat("[", i, "]"));
  }
  sax_.EndArray();
  return true;
}

// Sorted by key, so that the same message always gives the same text.
bool Writer::WriteMap(const FieldPlan& field, const MessagePlan& plan, const Message& message) {
  const int size = plan.reflection->FieldSize(message, field.field);
  if (size == 0) return true;
  const MessagePlan& entry_plan = *field.child;
  absl::InlinedVector<std::pair<std::string, const Message*>, 8> entries;
  for (int i = 0; i < size; ++i) {
    const Message& entry = plan.reflection->GetRepeatedMessage(message, field.field, i);
    entries.emplace_back(MapKeyText(entry_plan, entry), &entry);
  }
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  WriteKey(field);
  sax_.StartObject();
  for (const auto& [key, entry] : entries) {
    if (!sax_.Key(key.data(), Size(key))) return Fail("a key that is not UTF-8");
    if (!WriteValue(entry_plan.value(), entry_plan, *entry, -1)) return false;
  }
  sax_.EndObject();
  return true;
}

bool Writer::WriteValue(const FieldPlan& field, const MessagePlan& plan, const Message& message,
                        int index) {
  const Reflection* reflection = plan.reflection;
  const FieldDescriptor* at = field.field;
  const bool one = index < 0;
  switch (field.kind) {
    case Kind::kString: {
      std::string scratch;
      return WriteString(
          one ? reflection->GetStringReference(message, at, &scratch)
              : reflection->GetRepeatedStringReference(message, at, index, &scratch));
    }
    case Kind::kInt64:
      return sax_.Int64(one ? reflection->GetInt64(message, at)
                            : reflection->GetRepeatedInt64(message, at, index));
    case Kind::kInt32:
      return sax_.Int(one ? reflection->GetInt32(message, at)
                          : reflection->GetRepeatedInt32(message, at, index));
    case Kind::kUint64:
      return sax_.Uint64(one ? reflection->GetUInt64(message, at)
                             : reflection->GetRepeatedUInt64(message, at, index));
    case Kind::kUint32:
      return sax_.Uint(one ? reflection->GetUInt32(message, at)
                           : reflection->GetRepeatedUInt32(message, at, index));
    case Kind::kFloat:
      return sax_.Double(
                 static_cast<double>(one ? reflection->GetFloat(message, at)
                                         : reflection->GetRepeatedFloat(message, at, index))) ||
             Fail("not a finite number");
    case Kind::kDouble:
      return sax_.Double(one ? reflection->GetDouble(message, at)
                             : reflection->GetRepeatedDouble(message, at, index)) ||
             Fail("not a finite number");
    case Kind::kBool:
      return sax_.Bool(one ? reflection->GetBool(message, at)
                           : reflection->GetRepeatedBool(message, at, index));
    case Kind::kEnum:
      return WriteEnum(field, one ? reflection->GetEnumValue(message, at)
                                  : reflection->GetRepeatedEnumValue(message, at, index));
    case Kind::kBytes:
      return WriteString(
          absl::Base64Escape(one ? reflection->GetString(message, at)
                                 : reflection->GetRepeatedString(message, at, index)));
    case Kind::kTimestamp:
    case Kind::kMessage:
      break;
  }
  const Message& child = one ? reflection->GetMessage(message, at)
                             : reflection->GetRepeatedMessage(message, at, index);
  if (field.kind == Kind::kTimestamp) return WriteTimestamp(child);
  return WriteMessage(*field.child, child, nullptr);
}

bool Writer::WriteString(absl::string_view text) {
  return sax_.String(text.data(), Size(text)) || Fail("not UTF-8");
}

bool Writer::WriteEnum(const FieldPlan& field, int number) {
  for (const EnumWordPlan& known : field.words) {
    if (known.number == number) return sax_.String(known.word.data(), Size(known.word));
  }
  return Fail("an enum number without a name");
}

bool Writer::WriteTimestamp(const Message& message) {
  const auto& time = static_cast<const google::protobuf::Timestamp&>(message);
  char text[kTimestampSize + 1];
  const size_t size = FormatTimestamp(time.seconds(), time.nanos(), text);
  if (size == 0) return Fail("a time outside the years 1 to 9999");
  text[size] = '\0';
  return sax_.String(text, static_cast<rapidjson::SizeType>(size));
}

bool Writer::Fail(absl::string_view problem) {
  problem_ = std::string(problem);
  return false;
}

bool Writer::FailedIn(absl::string_view step) {
  path_ = absl::StrCat(step, path_.empty() || path_[0] == '[' ? "" : ".", path_);
  return false;
}

}  // namespace ipp::json
