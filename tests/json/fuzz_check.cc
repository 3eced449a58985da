#include "tests/json/fuzz_check.h"

#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/status/status.h"
#include "google/protobuf/util/message_differencer.h"
#include "kustom/ipp/v1/device.pb.h"
#include "kustom/ipp/v1/session.pb.h"
#include "server/json/message_json.h"
#include "tests/json/kinds.pb.h"
#include "tests/json/random_message.h"

namespace ipp::json::test {
namespace {

using google::protobuf::Message;
using google::protobuf::util::MessageDifferencer;

void Require(bool holds, const char* what, const std::string& detail) {
  if (holds) return;
  std::fprintf(stderr, "%s: %s\n", what, detail.c_str());
  std::abort();
}

void CheckRoundTrip(Message* message, Message* back) {
  ClearRawFields(message);
  std::string json;
  const absl::Status written = Write(*message, &json);
  Require(written.ok(), "cannot write what was read", written.ToString());
  const absl::Status read = Read(json, back);
  Require(read.ok(), "cannot read what was written", read.ToString());
  Require(MessageDifferencer::Equals(*message, *back), "not the same again", json);
  std::string again;
  const absl::Status rewritten = Write(*back, &again);
  Require(rewritten.ok() && again == json, "not the same text again", again);
}

template <typename T>
void CheckAs(absl::string_view bytes) {
  std::string unknown;
  ReadOptions options;
  options.unknown_field = [&](absl::string_view path) { unknown.append(path.data(), path.size()); };
  T message;
  if (!Read(bytes, &message, options).ok()) return;
  T back;
  CheckRoundTrip(&message, &back);
}

}  // namespace

void CheckAnyBytes(absl::string_view bytes) {
  CheckAs<Kinds>(bytes);
  CheckAs<kustom::ipp::v1::Device>(bytes);
  CheckAs<kustom::ipp::v1::Session>(bytes);

  kustom::ipp::v1::ListDevicesResponse page;
  Kinds envelope;
  const auto* items = page.GetDescriptor()->FindFieldByName("devices");
  if (!ReadPage(bytes, "content", items, &page, &envelope).ok()) return;
  kustom::ipp::v1::ListDevicesResponse page_back;
  CheckRoundTrip(&page, &page_back);
  Kinds envelope_back;
  CheckRoundTrip(&envelope, &envelope_back);
}

}  // namespace ipp::json::test
