#include "server/creates/request_difference.h"

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/message_differencer.h"
#include "server/base/stored_message.h"

namespace ipp::creates {
namespace {

using google::protobuf::Message;
using google::protobuf::util::MessageDifferencer;

constexpr size_t kMostFields = 10;

std::unique_ptr<Message> WithoutId(const Message& request) {
  std::unique_ptr<Message> copy(request.New());
  copy->CopyFrom(request);
  if (const auto* id = copy->GetDescriptor()->FindFieldByName("request_id")) {
    copy->GetReflection()->ClearField(copy.get(), id);
  }
  return copy;
}

class Paths final : public MessageDifferencer::Reporter {
 public:
  using Path = std::vector<MessageDifferencer::SpecificField>;

  void ReportAdded(const Message&, const Message&, const Path& path) override { Add(path); }
  void ReportDeleted(const Message&, const Message&, const Path& path) override { Add(path); }
  void ReportModified(const Message&, const Message&, const Path& path) override {
    // For a message in a list the differencer also reports the message itself, after the fields in
    // it.
    const auto* field = path.back().field;
    const bool of_fields = field != nullptr && field->message_type() != nullptr && !field->is_map();
    if (!of_fields) Add(path);
  }

  std::vector<std::string> names;

 private:
  void Add(const Path& path) {
    std::string name;
    for (const MessageDifferencer::SpecificField& step : path) {
      if (step.field == nullptr) continue;
      absl::StrAppend(&name, name.empty() ? "" : ".", step.field->name());
      // The keys of a map are the caller's data: name only the map.
      if (step.field->is_map()) break;
      const int index = std::max(step.index, step.new_index);
      if (step.field->is_repeated() && index >= 0) absl::StrAppend(&name, "[", index, "]");
    }
    const bool known = std::find(names.begin(), names.end(), name) != names.end();
    if (!known && names.size() < kMostFields) names.push_back(std::move(name));
  }
};

}  // namespace

std::string Fingerprint(const Message& request) { return DeterministicBytes(*WithoutId(request)); }

std::vector<std::string> DifferingFields(const Message& request, const std::string& fingerprint) {
  std::unique_ptr<Message> known(request.New());
  Paths paths;
  if (!known->ParseFromString(fingerprint)) return {};
  MessageDifferencer differencer;
  differencer.ReportDifferencesTo(&paths);
  differencer.Compare(*known, *WithoutId(request));
  return paths.names;
}

}  // namespace ipp::creates
