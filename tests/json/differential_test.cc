#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "google/protobuf/util/json_util.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "kustom/ipp/v1/device.pb.h"
#include "kustom/ipp/v1/enrollment.pb.h"
#include "kustom/ipp/v1/location.pb.h"
#include "kustom/ipp/v1/session_event.pb.h"
#include "kustom/ipp/v1/simulation.pb.h"
#include "server/json/message_json.h"
#include "tests/json/kinds.pb.h"
#include "tests/json/random_message.h"

// Every message of the contract, filled at random, by our way out and protobuf's way in, and back.
namespace ipp::json {
namespace {

namespace v1 = kustom::ipp::v1;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MessageFactory;
using google::protobuf::util::MessageDifferencer;

std::vector<const Descriptor*> Types() {
  std::vector<const Descriptor*> types;
  for (const auto* file : {v1::Device::descriptor()->file(), v1::Enrollment::descriptor()->file(),
                           v1::Location::descriptor()->file(), v1::Session::descriptor()->file(),
                           v1::SessionEvent::descriptor()->file(),
                           v1::CreateSimulatedDeviceRequest::descriptor()->file(),
                           test::Kinds::descriptor()->file()}) {
    for (int i = 0; i < file->message_type_count(); ++i) types.push_back(file->message_type(i));
  }
  return types;
}

// Where the dialects differ: enum words (and which key they stand under), keys with a json_name.
struct Dialect {
  std::map<std::pair<std::string, std::string>, std::string> words;  // key, ours -> theirs
  std::map<std::string, std::string> keys;                           // ours -> theirs

  explicit Dialect(const Descriptor* type) { Collect(type); }

  Dialect Reversed() const {
    Dialect reversed;
    for (const auto& [at, theirs] : words) {
      const auto key = keys.find(at.first);
      reversed.words[{key == keys.end() ? at.first : key->second, theirs}] = at.second;
    }
    for (const auto& [ours, theirs] : keys) reversed.keys[theirs] = ours;
    return reversed;
  }

 private:
  Dialect() = default;

  void Collect(const Descriptor* type) {
    if (!seen.insert(type).second) return;
    for (int i = 0; i < type->field_count(); ++i) {
      const FieldDescriptor* field = type->field(i);
      if (field->has_json_name())
        keys[std::string(field->json_name())] = std::string(field->name());
      if (field->message_type() != nullptr) Collect(field->message_type());
      if (field->enum_type() == nullptr) continue;
      for (int v = 0; v < field->enum_type()->value_count(); ++v) {
        const auto* value = field->enum_type()->value(v);
        words[{std::string(field->name()), EnumWord(value)}] = std::string(value->name());
      }
    }
  }

  std::set<const Descriptor*> seen;
};

// Replaces words and keys in JSON text. A string in front of a colon is a key; the key of an
// array's element is the array's. Map entries with enum values have a key of their own each, so an
// enum word below a key that starts like none of ours is looked up as the entry's "value".
std::string Translate(const std::string& json, const Dialect& dialect) {
  std::string out;
  std::string key;
  for (size_t i = 0; i < json.size(); ++i) {
    if (json[i] != '"') {
      out += json[i];
      continue;
    }
    size_t end = i + 1;
    while (json[end] != '"') end += json[end] == '\\' ? 2 : 1;
    std::string content = json.substr(i + 1, end - i - 1);
    i = end;
    size_t next = end + 1;
    while (next < json.size() && json[next] == ' ') ++next;
    if (next < json.size() && json[next] == ':') {
      key = content;
      const auto renamed = dialect.keys.find(content);
      if (renamed != dialect.keys.end()) content = renamed->second;
    } else {
      auto word = dialect.words.find({key, content});
      if (word == dialect.words.end() && (key == "true" || key == "false")) {
        word = dialect.words.find({"value", content});
      }
      if (word != dialect.words.end()) content = word->second;
    }
    out += '"' + content + '"';
  }
  return out;
}

class JsonDifferential : public ::testing::TestWithParam<const Descriptor*> {
 protected:
  std::unique_ptr<Message> New() const {
    return std::unique_ptr<Message>(
        MessageFactory::generated_factory()->GetPrototype(GetParam())->New());
  }
  static constexpr int kRounds = 60;
};

TEST_P(JsonDifferential, WhatWeWriteWeReadBack) {
  std::mt19937 random(1);
  for (int round = 0; round < kRounds; ++round) {
    const auto message = New();
    test::FillAtRandom(&random, message.get());
    std::string json;
    const absl::Status written = Write(*message, &json);
    ASSERT_TRUE(written.ok()) << written;
    const auto back = New();
    const absl::Status status = Read(json, back.get());
    ASSERT_TRUE(status.ok()) << status << "\n" << json;
    ASSERT_TRUE(MessageDifferencer::Equals(*message, *back)) << json;
  }
}

TEST_P(JsonDifferential, WhatWeWriteProtobufReads) {
  const Dialect dialect(GetParam());
  std::mt19937 random(2);
  for (int round = 0; round < kRounds; ++round) {
    const auto message = New();
    test::FillAtRandom(&random, message.get());
    std::string json;
    ASSERT_TRUE(Write(*message, &json).ok());
    const auto back = New();
    const auto status =
        google::protobuf::util::JsonStringToMessage(Translate(json, dialect), back.get());
    ASSERT_TRUE(status.ok()) << status.ToString() << "\n" << json;
    ASSERT_TRUE(MessageDifferencer::Equals(*message, *back)) << json << "\n"
                                                             << message->ShortDebugString() << "\n"
                                                             << back->ShortDebugString();
  }
}

TEST_P(JsonDifferential, WhatProtobufWritesWeRead) {
  const Dialect dialect = Dialect(GetParam()).Reversed();
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::mt19937 random(3);
  for (int round = 0; round < kRounds; ++round) {
    const auto message = New();
    test::FillAtRandom(&random, message.get());
    std::string json;
    ASSERT_TRUE(google::protobuf::util::MessageToJsonString(*message, &json, options).ok());
    const auto back = New();
    std::vector<std::string> unknown;
    ReadOptions read;
    read.unknown_field = [&](absl::string_view path) { unknown.emplace_back(path); };
    const absl::Status status = Read(Translate(json, dialect), back.get(), read);
    ASSERT_TRUE(status.ok()) << status << "\n" << json;
    ASSERT_TRUE(unknown.empty()) << unknown[0] << "\n" << json;
    ASSERT_TRUE(MessageDifferencer::Equals(*message, *back)) << json << "\n"
                                                             << message->ShortDebugString() << "\n"
                                                             << back->ShortDebugString();
  }
}

INSTANTIATE_TEST_SUITE_P(EveryMessage, JsonDifferential, ::testing::ValuesIn(Types()),
                         [](const auto& info) { return std::string(info.param->name()); });

}  // namespace
}  // namespace ipp::json
