#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"
#include "server/json/message_json.h"
#include "server/json/plan.h"
#include "server/json/rapid.h"

namespace ipp::json {

// Walks a message and emits its fields through RapidJSON's writer. For one message, on one thread.
//
// The functions return false once something cannot be written; `status` then holds the reason.
class Writer {
 public:
  explicit Writer(std::string* out);

  absl::Status Run(const MessagePlan& plan, const google::protobuf::Message& message,
                   const FieldFilter& filter);

 private:
  bool WriteMessage(const MessagePlan& plan, const google::protobuf::Message& message,
                    const FieldFilter* filter);
  // Writes the key and the value, or nothing if the message does not have the field.
  bool WriteField(const FieldPlan& field, const MessagePlan& plan,
                  const google::protobuf::Message& message);
  void WriteKey(const FieldPlan& field);
  bool WriteRepeated(const FieldPlan& field, const MessagePlan& plan,
                     const google::protobuf::Message& message);
  bool WriteMap(const FieldPlan& field, const MessagePlan& plan,
                const google::protobuf::Message& message);
  // `index` < 0: the field is singular.
  bool WriteValue(const FieldPlan& field, const MessagePlan& plan,
                  const google::protobuf::Message& message, int index);
  bool WriteString(absl::string_view text);
  bool WriteEnum(const FieldPlan& field, int number);
  bool WriteTimestamp(const google::protobuf::Message& message);

  bool Fail(absl::string_view problem);
  // Prepends a step to the path of the failure.
  bool FailedIn(absl::string_view step);

  alignas(8) char levels_[768];
  LevelAllocator allocator_;
  StringSink sink_;
  SaxWriter sax_;
  std::string path_;
  std::string problem_;
};

}  // namespace ipp::json
