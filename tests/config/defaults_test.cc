#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/config/config.h"
#include "server/config/reader.h"

// A default stands in server/config/defaults.cc. The reference (config.proto) and the example
// (deploy/gateway.example.yaml) repeat it for people; these tests hold both against the code.
namespace ipp::config {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr char kRoot[] = IPP_TESTDATA "/../../";

// The comments of config.proto, by "Message.field".
std::map<std::string, std::string> Comments() {
  std::ifstream file(absl::StrCat(kRoot, "server/config/config.proto"));
  std::map<std::string, std::string> comments;
  std::string message, comment;
  for (std::string line; std::getline(file, line);) {
    const absl::string_view text = absl::StripAsciiWhitespace(line);
    const std::vector<std::string> words = absl::StrSplit(text, ' ');
    if (absl::StartsWith(text, "//")) {
      absl::StrAppend(&comment, absl::StripPrefix(text, "//"));
      continue;
    }
    if (words[0] == "message") message = words[1];
    for (size_t i = 1; i + 1 < words.size(); ++i) {
      if (words[i + 1] == "=") comments[absl::StrCat(message, ".", words[i])] = comment;
    }
    comment.clear();
  }
  return comments;
}

// The value after "Default " in a comment; empty if there is none.
std::string DefaultIn(absl::string_view comment) {
  const size_t at = comment.find("Default ");
  if (at == absl::string_view::npos) return "";
  const std::vector<std::string> words = absl::StrSplit(comment.substr(at), ' ');
  absl::string_view value = words[1];
  while (absl::EndsWith(value, ".") || absl::EndsWith(value, ",")) value.remove_suffix(1);
  return std::string(value);
}

struct Key {
  std::vector<std::string> path;
  const FieldDescriptor* field;
  bool has_default;

  std::string name() const { return absl::StrJoin(path, "."); }
};

// Every key below `message` that is no section and no list.
void AddKeys(const Message& message, const std::vector<std::string>& path, std::vector<Key>* keys) {
  const google::protobuf::Descriptor* type = message.GetDescriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (field->is_repeated()) continue;
    std::vector<std::string> below = path;
    below.emplace_back(field->name());
    const bool set = message.GetReflection()->HasField(message, field);
    if (field->message_type() != nullptr && field->message_type()->file() == type->file()) {
      AddKeys(message.GetReflection()->GetMessage(message, field), below, keys);
    } else {
      keys->push_back({std::move(below), field, set});
    }
  }
}

std::vector<Key> Keys() {
  std::vector<Key> keys;
  AddKeys(Defaults(), {}, &keys);
  return keys;
}

// The defaults, and `key` as the file would give it.
Config With(const Key& key, const std::string& value) {
  std::string yaml;
  for (size_t i = 0; i < key.path.size(); ++i) {
    absl::StrAppend(&yaml, std::string(2 * i, ' '), key.path[i], ":",
                    i + 1 < key.path.size() ? "\n" : absl::StrCat(" ", value, "\n"));
  }
  Config config = Defaults();
  Reading reading;
  ReadYaml(yaml, "defaults.yaml", &config, &reading);
  EXPECT_TRUE(reading.problems.empty()) << yaml;
  return config;
}

TEST(ReferenceOfTheConfiguration, NamesTheDefaultOfEveryKeyThatHasOne) {
  const std::map<std::string, std::string> comments = Comments();
  int defaults = 0;
  for (const Key& key : Keys()) {
    const auto comment =
        comments.find(absl::StrCat(key.field->containing_type()->name(), ".", key.field->name()));
    ASSERT_NE(comment, comments.end()) << key.name();
    const std::string value = DefaultIn(comment->second);
    EXPECT_EQ(!value.empty(), key.has_default) << key.name() << ":" << comment->second;
    if (value.empty()) continue;
    ++defaults;
    EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(With(key, value), Defaults()))
        << key.name() << ": the reference says " << value;
  }
  EXPECT_GT(defaults, 30);
}

// Keys that the example gives another value, since the default would not do there.
const std::set<std::string>& OwnInTheExample() {
  static const auto* const keys =
      new std::set<std::string>{"listen", "webhooks.listen", "admin.listen"};
  return *keys;
}

TEST(ExampleOfTheConfiguration, ShowsTheDefaultOfEveryKeyThatHasOne) {
  const absl::StatusOr<Config> example =
      Load(absl::StrCat(kRoot, "deploy/gateway.example.yaml"), {});
  ASSERT_TRUE(example.ok()) << example.status();
  for (const Key& key : Keys()) {
    if (!key.has_default || OwnInTheExample().contains(key.name())) continue;
    const Message* shown = &*example;
    const Config defaults = Defaults();
    const Message* expected = &defaults;
    for (size_t i = 0; i + 1 < key.path.size(); ++i) {
      const FieldDescriptor* section = shown->GetDescriptor()->FindFieldByName(key.path[i]);
      shown = &shown->GetReflection()->GetMessage(*shown, section);
      expected = &expected->GetReflection()->GetMessage(*expected, section);
    }
    google::protobuf::util::MessageDifferencer compare;
    EXPECT_TRUE(compare.CompareWithFields(*shown, *expected, {key.field}, {key.field}))
        << key.name();
  }
}

}  // namespace
}  // namespace ipp::config
