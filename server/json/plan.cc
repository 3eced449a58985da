#include "server/json/plan.h"

#include <atomic>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "kustom/ipp/v1/annotations.pb.h"
#include "server/base/mutex.h"
#include "server/json/message_json.h"

namespace ipp::json {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MessageFactory;

size_t Hash(absl::string_view name) {
  if (name.empty()) return 0;
  const auto byte = [&](size_t i) { return static_cast<size_t>(static_cast<uint8_t>(name[i])); };
  return name.size() * 31 + byte(0) * 7 + byte(name.size() / 2) * 13 + byte(name.size() - 1) * 3;
}

// "SessionStatus" becomes "SESSION_STATUS_".
std::string Prefix(const EnumDescriptor* type) {
  std::string prefix;
  for (const char c : type->name()) {
    if (absl::ascii_isupper(c) && !prefix.empty()) prefix += '_';
    prefix += absl::ascii_toupper(c);
  }
  return prefix + '_';
}

std::vector<EnumWordPlan> Words(const EnumDescriptor* type) {
  std::vector<EnumWordPlan> words;
  for (int i = 0; i < type->value_count(); ++i) {
    const EnumValueDescriptor* value = type->value(i);
    if (type->FindValueByNumber(value->number()) != value) continue;  // an alias
    words.push_back({EnumWord(value), value->number()});
  }
  return words;
}

Kind KindOf(const FieldDescriptor* field) {
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return Kind::kInt32;
    case FieldDescriptor::CPPTYPE_INT64:
      return Kind::kInt64;
    case FieldDescriptor::CPPTYPE_UINT32:
      return Kind::kUint32;
    case FieldDescriptor::CPPTYPE_UINT64:
      return Kind::kUint64;
    case FieldDescriptor::CPPTYPE_FLOAT:
      return Kind::kFloat;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return Kind::kDouble;
    case FieldDescriptor::CPPTYPE_BOOL:
      return Kind::kBool;
    case FieldDescriptor::CPPTYPE_ENUM:
      return Kind::kEnum;
    case FieldDescriptor::CPPTYPE_STRING:
      return field->type() == FieldDescriptor::TYPE_BYTES ? Kind::kBytes : Kind::kString;
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  return field->message_type()->full_name() == "google.protobuf.Timestamp" ? Kind::kTimestamp
                                                                           : Kind::kMessage;
}

Written WrittenWhen(const FieldPlan& plan) {
  if (plan.field->has_presence() || plan.field->is_repeated()) return Written::kWhenPresent;
  switch (plan.kind) {
    case Kind::kString:
      return Written::kUnlessEmpty;
    case Kind::kInt32:
    case Kind::kInt64:
    case Kind::kUint32:
    case Kind::kUint64:
    case Kind::kFloat:
    case Kind::kDouble:
      return Written::kAlways;
    default:
      return Written::kWhenPresent;
  }
}

class PlanTable {
 public:
  const MessagePlan* Get(const Descriptor* type) {
    if (const MessagePlan* plan = Lookup(type)) return plan;
    if (type->file()->pool() != DescriptorPool::generated_pool()) return nullptr;
    MutexLock lock(&mutex_);
    const MessagePlan* plan = Build(type);
    // The previous table is kept, since readers may still use it. There are no more tables than
    // message types.
    auto view = std::make_unique<View>();
    for (const auto& [known, owned] : plans_) view->emplace(known, owned.get());
    view_.store(view.get(), std::memory_order_release);
    views_.push_back(std::move(view));
    return plan;
  }

 private:
  using View = absl::flat_hash_map<const Descriptor*, const MessagePlan*>;

  const MessagePlan* Lookup(const Descriptor* type) const {
    const View* view = view_.load(std::memory_order_acquire);
    if (view == nullptr) return nullptr;
    const auto it = view->find(type);
    return it == view->end() ? nullptr : it->second;
  }

  // Also builds the plans of all message types that it can reach. A type that contains itself finds
  // the plan that is being built.
  const MessagePlan* Build(const Descriptor* type) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    std::unique_ptr<MessagePlan>& owned = plans_[type];
    if (owned != nullptr) return owned.get();
    owned = std::make_unique<MessagePlan>();
    MessagePlan* plan = owned.get();
    plan->prototype = MessageFactory::generated_factory()->GetPrototype(type);
    plan->reflection = plan->prototype->GetReflection();
    absl::flat_hash_map<absl::string_view, const FieldDescriptor*> raws;
    for (int i = 0; i < type->field_count(); ++i) {
      const FieldDescriptor* field = type->field(i);
      const std::string& raw_of = field->options().GetExtension(kustom::ipp::v1::raw_of);
      if (!raw_of.empty()) raws[raw_of] = field;
    }
    for (int i = 0; i < type->field_count(); ++i) {
      const FieldDescriptor* field = type->field(i);
      if (field->options().HasExtension(kustom::ipp::v1::raw_of)) continue;
      if (field->options().GetExtension(kustom::ipp::v1::unreadable)) {
        plan->unreadable = field;
        continue;
      }
      FieldPlan& added = plan->fields.emplace_back();
      added.field = field;
      // A generated descriptor has a json_name only if the proto sets one; a name that protoc
      // derives is not stored.
      added.name = field->has_json_name() ? field->json_name() : field->name();
      added.kind = KindOf(field);
      if (field->is_map()) {
        added.shape = Shape::kMap;
        added.text_values = KindOf(field->message_type()->map_value()) == Kind::kString;
      } else if (field->is_repeated()) {
        added.shape = Shape::kRepeated;
      }
      added.written = WrittenWhen(added);
      if (added.kind == Kind::kEnum) {
        added.words = Words(field->enum_type());
        const auto raw = raws.find(field->name());
        if (raw != raws.end()) added.raw = raw->second;
      }
      if (added.kind == Kind::kMessage) added.child = Build(field->message_type());
    }
    Index(plan);
    return plan;
  }

  static void Index(MessagePlan* plan) {
    size_t size = 4;
    while (size < plan->fields.size() * 3) size *= 2;
    plan->slots.assign(size, 0);
    for (size_t i = 0; i < plan->fields.size(); ++i) {
      size_t slot = Hash(plan->fields[i].name) & (size - 1);
      while (plan->slots[slot] != 0) slot = (slot + 1) & (size - 1);
      plan->slots[slot] = static_cast<uint16_t>(i + 1);
    }
  }

  std::atomic<const View*> view_{nullptr};
  Mutex mutex_;
  absl::flat_hash_map<const Descriptor*, std::unique_ptr<MessagePlan>> plans_
      ABSL_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<const View>> views_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

const FieldPlan* MessagePlan::Find(absl::string_view name, size_t* hint) const {
  if (*hint < fields.size() && fields[*hint].name == name) return &fields[(*hint)++];
  const size_t mask = slots.size() - 1;
  for (size_t slot = Hash(name) & mask; slots[slot] != 0; slot = (slot + 1) & mask) {
    const FieldPlan& field = fields[slots[slot] - 1];
    if (field.name == name) {
      *hint = slots[slot];
      return &field;
    }
  }
  return nullptr;
}

Message* AddChild(const FieldPlan& field, const MessagePlan& plan, Message* message) {
  Message* child = field.child->prototype->New(message->GetArena());
  plan.reflection->AddAllocatedMessage(message, field.field, child);
  return child;
}

const MessagePlan* PlanOf(const Descriptor* type) {
  static auto* const table = new PlanTable;  // never destroyed: threads may outlive main
  return table->Get(type);
}

std::string EnumWord(const EnumValueDescriptor* value) {
  const std::string prefix = Prefix(value->type());
  absl::string_view word = value->name();
  if (absl::StartsWith(word, prefix)) word.remove_prefix(prefix.size());
  if (value->type()->options().GetExtension(kustom::ipp::v1::lower_case_json)) {
    return absl::AsciiStrToLower(word);
  }
  return std::string(word);
}

}  // namespace ipp::json
