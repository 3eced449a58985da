#include "client/ippctl/command.h"

#include <google/protobuf/util/json_util.h>

#include "absl/strings/str_cat.h"
#include "server/base/masked_text.h"

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

}  // namespace ipp::ippctl
