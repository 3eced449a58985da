#include "tests/json/json_write_check.h"

#include <string>

#include "absl/status/status.h"
#include "google/protobuf/util/message_differencer.h"
#include "kustom/ipp/v1/device.pb.h"
#include "kustom/ipp/v1/session.pb.h"
#include "server/base/library_versions.h"
#include "server/json/message_json.h"
#include "tests/json/kinds.pb.h"
#include "tests/json/plain_json.h"
#include "tests/json/random_message.h"
#include "tests/support/require.h"

namespace ipp::json::test {
namespace {

template <typename T>
void CheckAs(absl::string_view bytes) {
  T message;
  {
    QuietProtobuf quiet;  // about text that is not UTF-8
    if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  }
  message.DiscardUnknownFields();
  std::string json;
  const absl::Status written = Write(message, &json);
  if (!written.ok()) {
    return Require(written.code() == absl::StatusCode::kInvalidArgument &&
                       written.message().find(": ") != absl::string_view::npos,
                   "refused without a field", written.ToString());
  }
  Require(IsObject(json), "no JSON", json);
  ReadOptions options;
  options.max_depth = 1000;
  T back;
  const absl::Status read = Read(json, &back, options);
  Require(read.ok(), "cannot read what was written", read.ToString());
  ClearRawFields(&message);
  Require(google::protobuf::util::MessageDifferencer::Equals(message, back), "not the same", json);
}

}  // namespace

void CheckJsonWrite(absl::string_view bytes) {
  if (bytes.empty()) return;
  const absl::string_view message = bytes.substr(1);
  switch (bytes.front()) {
    case 's':
      return CheckAs<kustom::ipp::v1::Session>(message);
    case 'd':
      return CheckAs<kustom::ipp::v1::Device>(message);
    default:
      return CheckAs<Kinds>(message);
  }
}

}  // namespace ipp::json::test
