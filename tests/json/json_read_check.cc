#include "tests/json/json_read_check.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "google/protobuf/util/json_util.h"
#include "google/protobuf/util/message_differencer.h"
#include "kustom/ipp/v1/device.pb.h"
#include "kustom/ipp/v1/session.pb.h"
#include "server/json/message_json.h"
#include "server/json/scalars.h"
#include "tests/json/kinds.pb.h"
#include "tests/json/plain_json.h"
#include "tests/json/random_message.h"
#include "tests/support/odd_json.h"
#include "tests/support/require.h"

namespace ipp::json::test {
namespace {

using google::protobuf::Message;
using google::protobuf::util::MessageDifferencer;
namespace v1 = kustom::ipp::v1;

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

void CheckRefusal(const absl::Status& status) {
  Require(status.code() == absl::StatusCode::kInvalidArgument, "refused otherwise",
          status.ToString());
  Require(!absl::StrContains(status.message(), "hunter2"), "a value in the reason",
          status.ToString());
}

// `unknown`: whether there were keys that no field takes.
void CheckAgreement(absl::string_view bytes, const Kinds& ours, bool unknown) {
  if (unknown || !IsPlain(bytes)) return;
  Kinds theirs;
  const std::string text(bytes);
  if (!google::protobuf::util::JsonStringToMessage(text, &theirs).ok()) return;
  MessageDifferencer same;
  // Their way to a float leads through a double.
  same.set_float_comparison(MessageDifferencer::APPROXIMATE);
  Require(same.Compare(ours, theirs), "Protobuf reads another message", bytes);
}

// A session in which one member has that value. The first byte chooses which.
void CheckMember(absl::string_view bytes) {
  if (bytes.empty()) return;
  static const auto* const sample = [] {
    auto* session = new v1::Session;
    ipp::test::FillSample(session);
    return session;
  }();
  const auto* type = v1::Session::descriptor();
  const auto* member = type->field(static_cast<uint8_t>(bytes[0]) % type->field_count());
  const absl::string_view value = bytes.substr(1);
  // One level is the session's own.
  ReadOptions value_options;
  value_options.max_depth -= 1;
  if (!ipp::test::IsWord(member) ||
      !VisitScalars(
           value, [](absl::Span<const Step>, absl::string_view) {}, value_options)
           .ok()) {
    return;
  }
  ReadOptions options;
  options.lenient = true;
  v1::Session read;
  const std::string text = ipp::test::JsonWith(*sample, member, value);
  const absl::Status status = Read(text, &read, options);
  Require(status.ok(), "a member's value stops the rest", text);
  Require(ipp::test::SameButFor(member, read, *sample), "a member's value changes the rest", text);
}

// What is read strictly is read leniently too; and what is, can be sent on.
template <typename T>
void CheckLenient(absl::string_view bytes, const absl::Status& strictly) {
  ReadOptions options;
  options.lenient = true;
  T lenient;
  const absl::Status read = Read(bytes, &lenient, options);
  if (!read.ok()) return Require(!strictly.ok(), "only lenient reading fails", read.ToString());
  std::string text;
  Require(Write(lenient, &text).ok(), "cannot write what was read leniently", bytes);
}

template <typename T>
void CheckAs(absl::string_view bytes) {
  bool unknown = false;
  ReadOptions options;
  options.unknown_field = [&unknown](absl::string_view) { unknown = true; };
  T message;
  const absl::Status read = Read(bytes, &message, options);
  CheckLenient<T>(bytes, read);
  if (!read.ok()) return CheckRefusal(read);
  if constexpr (std::is_same_v<T, Kinds>) CheckAgreement(bytes, message, unknown);
  T back;
  CheckRoundTrip(&message, &back);
}

void CheckPage(absl::string_view bytes) {
  v1::ListDevicesResponse page;
  Kinds envelope;
  static const auto* const items = page.GetDescriptor()->FindFieldByName("devices");
  const absl::Status read = ReadPage(bytes, "content", items, &page, &envelope);
  if (!read.ok()) return CheckRefusal(read);
  v1::ListDevicesResponse page_back;
  CheckRoundTrip(&page, &page_back);
  Kinds envelope_back;
  CheckRoundTrip(&envelope, &envelope_back);
}

}  // namespace

void CheckJsonRead(absl::string_view bytes) {
  switch (bytes.empty() ? '\0' : bytes.front()) {
    case 's':
      return CheckAs<v1::Session>(bytes.substr(1));
    case 'd':
      return CheckAs<v1::Device>(bytes.substr(1));
    case 'v':
      return CheckMember(bytes.substr(1));
    case 'p':
      return CheckPage(bytes.substr(1));
    default:
      return CheckAs<Kinds>(bytes);
  }
}

}  // namespace ipp::json::test
