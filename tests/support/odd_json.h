#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/message.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/util/message_differencer.h"
#include "kustom/ipp/v1/annotations.pb.h"
#include "server/json/message_json.h"

// Messages as JSON in which one member has an unexpected value. By descriptor, so
// that a field that is added later is tried too.
namespace ipp::test {

// Each is one JSON value.
inline const std::vector<std::string>& OddValues() {
  static const auto* const values = new std::vector<std::string>{
      "null",
      "true",
      "0",
      "-1",
      "1.5",
      "1e300",
      "1e400",
      "-1.5E+999999999999",
      "0e400",
      std::string(400, '9'),
      R"({"a":[1e400,"1e400\\"]})",
      "[1e400]",
      "99999999999999999999999",
      R"("")",
      R"("odd")",
      R"("1790000000")",
      R"("2026-09-21T14:13:20")",
      R"("2026-09-21T14:13:20+0000")",
      R"("2026-13-41T25:61:61Z")",
      R"("\ud83d")",
      R"("\udc00 alone")",
      "\"\xff\xfe\"",
      "{}",
      R"({"a":{"b":[1,null,"\ud83d"]},"id":5})",
      R"({"seconds":1790000000})",
      "[]",
      "[null]",
      "[1]",
      R"(["odd",{"a":2}])",
      "[[[[[[[[]]]]]]]]",
      R"([{"a":1},"odd"])",
  };
  return *values;
}

inline bool IsWord(const google::protobuf::FieldDescriptor* field) {  // has a key of its own
  return !field->options().HasExtension(kustom::ipp::v1::raw_of) &&
         !field->options().HasExtension(kustom::ipp::v1::unreadable);
}

inline std::string JsonName(const google::protobuf::FieldDescriptor* field) {
  return std::string(field->has_json_name() ? field->json_name() : field->name());
}

// Sets every field to something that it may well have.
inline void FillSample(google::protobuf::Message* message) {
  using google::protobuf::FieldDescriptor;
  const auto* r = message->GetReflection();
  for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* f = message->GetDescriptor()->field(i);
    if (!IsWord(f)) continue;
    if (f->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      auto* child = f->is_repeated() ? r->AddMessage(message, f) : r->MutableMessage(message, f);
      if (auto* time = dynamic_cast<google::protobuf::Timestamp*>(child)) {
        time->set_seconds(1'790'000'000);
      } else {
        FillSample(child);
      }
      continue;
    }
    if (f->is_repeated()) continue;  // none of the upstream's
    switch (f->cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        r->SetInt32(message, f, 7);
        break;
      case FieldDescriptor::CPPTYPE_INT64:
        r->SetInt64(message, f, 25000);
        break;
      case FieldDescriptor::CPPTYPE_BOOL:
        r->SetBool(message, f, true);
        break;
      case FieldDescriptor::CPPTYPE_ENUM:
        r->SetEnumValue(message, f, 1);
        break;
      case FieldDescriptor::CPPTYPE_STRING:
        r->SetString(message, f, absl::StrCat("sample ", f->name()));
        break;
      default:
        break;
    }
  }
}

// The message as JSON, with `value` for that member.
inline std::string JsonWith(const google::protobuf::Message& message,
                            const google::protobuf::FieldDescriptor* member,
                            absl::string_view value) {
  std::string text;
  const absl::Status written =
      json::Write(message, &text, [member](const auto* field) { return field != member; });
  if (!written.ok()) return "";
  text.pop_back();
  return absl::StrCat(text, text == "{" ? "" : ",", "\"", JsonName(member), "\":", value, "}");
}

// Whether both say the same but for that member (and what else its value decides).
inline bool SameButFor(const google::protobuf::FieldDescriptor* member,
                       const google::protobuf::Message& one,
                       const google::protobuf::Message& other) {
  const auto plain = [member](const google::protobuf::Message& message) {
    std::unique_ptr<google::protobuf::Message> copy(message.New());
    copy->CopyFrom(message);
    for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
      const auto* f = message.GetDescriptor()->field(i);
      const bool decided = f == member ||
                           f->options().GetExtension(kustom::ipp::v1::raw_of) == member->name() ||
                           f->options().HasExtension(kustom::ipp::v1::unreadable);
      if (decided) message.GetReflection()->ClearField(copy.get(), f);
    }
    return copy;
  };
  return google::protobuf::util::MessageDifferencer::Equals(*plain(one), *plain(other));
}

}  // namespace ipp::test
