#include "server/config/reader.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/duration.pb.h"
#include "server/base/edit_distance.h"
#include "server/config/field_kinds.h"

namespace ipp::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::OneofDescriptor;

constexpr int kMaxNodes = 100'000;

std::string Join(absl::string_view path, absl::string_view key) {
  return path.empty() ? std::string(key) : absl::StrCat(path, ".", key);
}

std::string NoSuchKey(const Descriptor* type, absl::string_view key) {
  const FieldDescriptor* best = nullptr;
  // A word that is further away than this is not a misspelling.
  size_t best_distance = std::max<size_t>(1, key.size() / 3) + 1;
  for (int i = 0; i < type->field_count(); ++i) {
    const absl::string_view name = type->field(i)->name();
    if (std::max(key.size(), name.size()) - std::min(key.size(), name.size()) >= best_distance) {
      continue;  // the distance is at least the difference in length
    }
    const size_t distance = EditDistance(key, name);
    if (distance < best_distance) {
      best = type->field(i);
      best_distance = distance;
    }
  }
  if (best == nullptr) return "no such key";
  return absl::StrCat("no such key (did you mean ", best->name(), "?)");
}

// Sets or appends one scalar. Returns null, or a description of what `text` should have been.
const char* SetScalar(const std::string& text, const FieldDescriptor* field, Message* message) {
  const google::protobuf::Reflection* reflection = message->GetReflection();
  const auto put = [&](auto set, auto add, auto value) {
    if (field->is_repeated()) {
      (reflection->*add)(message, field, std::move(value));
    } else {
      (reflection->*set)(message, field, std::move(value));
    }
    return nullptr;
  };
  using R = google::protobuf::Reflection;
  if (IsDuration(field)) {
    absl::Duration duration;
    if (!absl::ParseDuration(text, &duration) || duration < absl::ZeroDuration() ||
        duration == absl::InfiniteDuration()) {
      return "must be a duration such as 10s, 1m30s or 500ms";
    }
    google::protobuf::Duration value;
    value.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &duration));
    value.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(duration)));
    (field->is_repeated() ? reflection->AddMessage(message, field)
                          : reflection->MutableMessage(message, field))
        ->CopyFrom(value);
    return nullptr;
  }
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      if (std::any_of(text.begin(), text.end(), absl::ascii_iscntrl)) {
        return "must not contain control characters";
      }
      // Not by `put`: later versions of Protobuf have several functions of these names.
      if (field->is_repeated()) {
        reflection->AddString(message, field, text);
      } else {
        reflection->SetString(message, field, text);
      }
      return nullptr;
    case FieldDescriptor::CPPTYPE_BOOL:
      if (text != "true" && text != "false") return "must be true or false";
      return put(&R::SetBool, &R::AddBool, text == "true");
    case FieldDescriptor::CPPTYPE_INT32: {
      int32_t value = 0;
      if (!absl::SimpleAtoi(text, &value)) return "must be a whole number";
      return put(&R::SetInt32, &R::AddInt32, value);
    }
    default:
      return "is of a type that cannot be configured";
  }
}

// Stops yaml-cpp 0.7 from looping forever: on a text that begins with a comma, for example, it
// finds one empty document after another without advancing.
class ProgressCheck final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override {
    if (mark.pos <= last_) throw YAML::ParserException(mark, "unexpected character");
    last_ = mark.pos;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}

 private:
  int last_ = -1;
};

// Throws YAML::Exception.
std::vector<YAML::Node> LoadDocuments(const std::string& yaml) {
  std::istringstream in(yaml);
  YAML::Parser parser(in);
  ProgressCheck check;
  while (parser.HandleNextDocument(check)) {
  }
  return YAML::LoadAll(yaml);
}

// Reads one text: a file, or the value of a variable.
class Reader {
 public:
  // `with_lines`: sources are "name:line"; otherwise the name alone.
  Reader(absl::string_view name, bool with_lines, Reading* reading)
      : name_(name), with_lines_(with_lines), reading_(*reading) {}

  // All documents of the text. If it is not YAML, notes a problem and returns none.
  std::vector<YAML::Node> Documents(absl::string_view yaml, const std::string& path) {
    try {
      return LoadDocuments(std::string(yaml));
    } catch (const YAML::Exception& e) {
      // The part after a colon quotes the text, which may contain a secret.
      Note(Source(e.mark), path,
           absl::StrCat("not valid YAML: ", absl::string_view(e.msg).substr(0, e.msg.find(':'))));
      return {};
    }
  }

  // The keys of one message that were seen and where, and which member of each oneof was set.
  struct Seen {
    std::map<std::string, std::string> keys;
    std::map<const OneofDescriptor*, std::string> kinds;
  };

  void ReadMapping(const YAML::Node& node, const std::string& path, Message* message, Seen* seen) {
    if (!Admit(node) || node.IsNull()) return;
    if (!node.IsMap()) return Note(Source(node.Mark()), path, "must be a mapping of keys");
    for (const auto& entry : node) ReadKey(entry.first, entry.second, path, message, seen);
  }

  void ReadField(const YAML::Node& node, const std::string& path, const FieldDescriptor* field,
                 Message* message) {
    if (!field->is_repeated()) return ReadOne(node, path, field, message);
    if (!node.IsSequence()) return Note(Source(node.Mark()), path, "must be a list");
    size_t index = 0;
    for (const YAML::Node& item : node) {
      ReadOne(item, absl::StrCat(path, "[", index++, "]"), field, message);
    }
  }

  void Note(std::string source, std::string path, std::string description) {
    reading_.problems.push_back({std::move(source), {std::move(path), std::move(description)}});
  }

 private:
  // Counts one more node; false once there are too many nodes or problems. With aliases of aliases
  // a short text can expand to a practically endless number of nodes, and each of them can be
  // wrong.
  bool Admit(const YAML::Node& node) {
    if (nodes_ == kMaxNodes || reading_.problems.size() > kMaxProblems) return false;
    if (++nodes_ == kMaxNodes) Note(Source(node.Mark()), "", "too many values");
    return true;
  }

  std::string Source(const YAML::Mark& mark) const {
    return with_lines_ && !mark.is_null() ? absl::StrCat(name_, ":", mark.line + 1) : name_;
  }

  void ReadKey(const YAML::Node& key, const YAML::Node& value, const std::string& parent,
               Message* message, Seen* seen) {
    if (!Admit(key)) return;
    const std::string source = Source(key.Mark());
    if (!key.IsScalar()) return Note(source, parent, "a key must be a word");
    const std::string& name = key.Scalar();
    const std::string path = Join(parent, absl::CHexEscape(name));
    const FieldDescriptor* field = message->GetDescriptor()->FindFieldByName(name);
    if (field == nullptr) return Note(source, path, NoSuchKey(message->GetDescriptor(), name));
    if (const auto [first, fresh] = seen->keys.emplace(name, source); !fresh) {
      return Note(source, path, absl::StrCat("given twice, before at ", first->second));
    }
    if (value.IsNull()) return;
    if (const OneofDescriptor* oneof = field->real_containing_oneof()) {
      if (const auto [first, fresh] = seen->kinds.emplace(oneof, name); !fresh) {
        return Note(source, path, absl::StrCat("only one of ", first->second, " and ", name));
      }
    }
    reading_.sources[path] = source;
    ReadField(value, path, field, message);
  }

  void ReadOne(const YAML::Node& node, const std::string& path, const FieldDescriptor* field,
               Message* message) {
    if (!Admit(node)) return;
    const google::protobuf::Reflection* reflection = message->GetReflection();
    reading_.sources.emplace(path, Source(node.Mark()));
    if (IsMapping(field)) {
      Seen seen;
      return ReadMapping(node, path,
                         field->is_repeated() ? reflection->AddMessage(message, field)
                                              : reflection->MutableMessage(message, field),
                         &seen);
    }
    if (!node.IsScalar()) return Note(Source(node.Mark()), path, "must be a single value");
    if (const char* wrong = SetScalar(node.Scalar(), field, message)) {
      Note(Source(node.Mark()), path, wrong);
    }
  }

  const std::string name_;
  const bool with_lines_;
  Reading& reading_;
  int nodes_ = 0;
};

// Kubernetes sets these for every Service whose name begins with "ipp-", in every pod of the same
// namespace: IPP_GATEWAY_SERVICE_HOST, IPP_GATEWAY_PORT, IPP_GATEWAY_PORT_50051_TCP_ADDR, ….
bool IsServiceLink(absl::string_view variable) {
  if (absl::EndsWith(variable, "_SERVICE_HOST") || absl::EndsWith(variable, "_PORT") ||
      absl::StrContains(variable, "_SERVICE_PORT")) {
    return true;
  }
  const size_t port = variable.find("_PORT_");
  if (port == absl::string_view::npos) return false;
  const std::vector<absl::string_view> rest = absl::StrSplit(variable.substr(port + 6), '_');
  int number = 0;
  return rest.size() >= 2 && absl::SimpleAtoi(rest[0], &number) &&
         (rest[1] == "TCP" || rest[1] == "UDP" || rest[1] == "SCTP");
}

void ForgetSources(absl::string_view path, Sources* sources) {
  std::erase_if(*sources, [path](const auto& source) {
    absl::string_view rest = source.first;
    return absl::ConsumePrefix(&rest, path) &&
           (rest.empty() || rest.front() == '.' || rest.front() == '[');
  });
}

void ReadVariable(const std::string& variable, const std::string& value, const Message& defaults,
                  Message* config, Reading* reading) {
  Reader reader(variable, /*with_lines=*/false, reading);
  const std::string keys = absl::AsciiStrToLower(absl::StripPrefix(variable, "IPP_"));
  const std::vector<std::string> parts = absl::StrSplit(keys, "__");
  const std::string path = absl::StrJoin(parts, ".");

  // The whole path is checked before any message on it is created.
  const Descriptor* type = config->GetDescriptor();
  std::vector<const FieldDescriptor*> way;
  for (const std::string& part : parts) {
    if (!way.empty()) {
      if (way.back()->is_repeated() || !IsMapping(way.back())) {
        return reader.Note(
            variable, path,
            absl::StrCat(way.back()->name(), " has no keys that a variable can set"));
      }
      type = way.back()->message_type();
    }
    way.push_back(type->FindFieldByName(part));
    if (way.back() == nullptr) {
      if (!IsServiceLink(variable)) reader.Note(variable, path, NoSuchKey(type, part));
      return;
    }
  }

  const Message* fallback = &defaults;
  Message* message = config;
  const FieldDescriptor* const field = way.back();
  way.pop_back();
  for (const FieldDescriptor* step : way) {
    fallback = &fallback->GetReflection()->GetMessage(*fallback, step);
    message = message->GetReflection()->MutableMessage(message, step);
  }
  ForgetSources(path, &reading->sources);
  reading->sources[path] = variable;
  if (!field->is_repeated() && !IsMapping(field)) {
    if (const char* wrong = SetScalar(value, field, message)) reader.Note(variable, path, wrong);
    return;
  }
  message->GetReflection()->ClearField(message, field);
  if (!field->is_repeated() && fallback->GetReflection()->HasField(*fallback, field)) {
    message->GetReflection()
        ->MutableMessage(message, field)
        ->CopyFrom(fallback->GetReflection()->GetMessage(*fallback, field));
  }
  for (const YAML::Node& document : reader.Documents(value, path)) {
    if (!document.IsNull()) reader.ReadField(document, path, field, message);
  }
}

}  // namespace

void ReadYaml(absl::string_view yaml, absl::string_view file_name, Message* message,
              Reading* reading) {
  Reader reader(file_name, /*with_lines=*/true, reading);
  Reader::Seen seen;
  for (const YAML::Node& document : reader.Documents(yaml, "")) {
    reader.ReadMapping(document, "", message, &seen);
  }
}

void ReadEnvironment(const std::map<std::string, std::string>& environment, const Message& defaults,
                     Message* message, Reading* reading) {
  // In the order of the names: IPP_UPSTREAM comes before IPP_UPSTREAM__TIMEOUT, so that the more
  // specific variable wins.
  for (const auto& [variable, value] : environment) {
    ReadVariable(absl::CHexEscape(variable), value, defaults, message, reading);
  }
}

}  // namespace ipp::config
