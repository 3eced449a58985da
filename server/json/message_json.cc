#include "server/json/message_json.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/json/lenient_text.h"
#include "server/json/plan.h"
#include "server/json/reader.h"
#include "server/json/writer.h"

namespace ipp::json {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// RapidJSON's lengths have 32 bits.
constexpr size_t kLongestText = size_t{1} << 31;

absl::Status CheckSize(absl::string_view text, const ReadOptions& options) {
  if (text.size() <= std::min(options.max_bytes, kLongestText)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("JSON text of ", text.size(), " bytes is too long"));
}

absl::Status NotGenerated(const Message& message) {
  return absl::InvalidArgumentError(
      absl::StrCat(message.GetTypeName(), " is not a generated message type"));
}

// Few texts need it, so that only those are copied.
std::string WithoutHugeNumbers(absl::string_view text) {
  std::string copy(text);
  SpoilHugeNumbers(copy.data(), copy.size());
  return copy;
}

}  // namespace

absl::Status Read(absl::string_view text, Message* message, const ReadOptions& options) {
  const MessagePlan* plan = PlanOf(message->GetDescriptor());
  if (plan == nullptr) return NotGenerated(*message);
  if (absl::Status size = CheckSize(text, options); !size.ok()) return size;
  Reader reader(plan, message, options);
  absl::Status status = reader.Run(text);
  if (!options.lenient || !reader.rejected_number()) return status;
  message->Clear();
  return Reader(plan, message, options).Run(WithoutHugeNumbers(text));
}

absl::Status ReadPage(absl::string_view text, absl::string_view items_key,
                      const FieldDescriptor* items, Message* message, Message* envelope,
                      const ReadOptions& options) {
  const MessagePlan* plan = PlanOf(message->GetDescriptor());
  const MessagePlan* envelope_plan = PlanOf(envelope->GetDescriptor());
  if (plan == nullptr) return NotGenerated(*message);
  if (envelope_plan == nullptr) return NotGenerated(*envelope);
  const auto field =
      std::find_if(plan->fields.begin(), plan->fields.end(),
                   [&](const FieldPlan& candidate) { return candidate.field == items; });
  if (field == plan->fields.end() || field->shape != Shape::kRepeated) {
    return absl::InvalidArgumentError(
        absl::StrCat(items->full_name(), " cannot take the items of a page"));
  }
  if (absl::Status size = CheckSize(text, options); !size.ok()) return size;
  const auto run = [&](absl::string_view page, bool* rejected_number) {
    Reader reader(envelope_plan, envelope, options);
    reader.SplitOff(items_key, &*field, plan, message);
    absl::Status status = reader.Run(page);
    *rejected_number = reader.rejected_number();
    return status;
  };
  bool rejected_number = false;
  absl::Status status = run(text, &rejected_number);
  if (!options.lenient || !rejected_number) return status;
  message->Clear();
  envelope->Clear();
  return run(WithoutHugeNumbers(text), &rejected_number);
}

absl::Status Write(const Message& message, std::string* out, const FieldFilter& filter) {
  const MessagePlan* plan = PlanOf(message.GetDescriptor());
  if (plan == nullptr) return NotGenerated(message);
  const size_t before = out->size();
  absl::Status status = Writer(out).Run(*plan, message, filter);
  if (!status.ok()) out->resize(before);
  return status;
}

}  // namespace ipp::json
