#include "client/ippctl/command.h"

#include <google/protobuf/util/json_util.h>

#include "absl/strings/str_cat.h"
#include "kustom/ipp/v1/annotations.pb.h"

namespace ipp::ippctl {

int Invocation::Fail(const grpc::Status& status, const Attempt& attempt) {
  const client::Error error = WithVerdict(client::DecodeError(status), attempt);
  err() << DescribeError(error, attempt);
  return ExitCodeOf(error);
}

int Invocation::Misused(absl::string_view message) {
  err() << absl::StrCat("ippctl: ", message, "\n");
  return kExitUsage;
}

void Invocation::PrintJson(const google::protobuf::Message& message, bool one_line, bool reveal) {
  const std::unique_ptr<google::protobuf::Message> copy(message.New());
  copy->CopyFrom(message);
  if (!reveal) MaskSensitive(copy.get());
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.add_whitespace = !one_line;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(*copy, &json, options);
  if (!status.ok()) {
    // Only a timestamp out of range gets here.
    err() << "ippctl: the answer has no JSON form: " << status.ToString() << "\n";
    return;
  }
  out() << json << (one_line ? "\n" : "") << std::flush;
}

void MaskSensitive(google::protobuf::Message* message) {
  const google::protobuf::Reflection& reflection = *message->GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection.ListFields(*message, &fields);
  for (const google::protobuf::FieldDescriptor* field : fields) {
    if (field->is_map()) continue;  // the contract's maps hold plain strings
    if (field->options().GetExtension(kustom::ipp::v1::sensitive)) {
      reflection.SetString(message, field, "********");
    } else if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) {
      continue;
    } else if (field->is_repeated()) {
      for (int i = 0; i < reflection.FieldSize(*message, field); ++i) {
        MaskSensitive(reflection.MutableRepeatedMessage(message, field, i));
      }
    } else {
      MaskSensitive(reflection.MutableMessage(message, field));
    }
  }
}

}  // namespace ipp::ippctl
