#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

// What reading and writing need to know of a message type, worked out of its descriptor once.
namespace ipp::json {

struct MessagePlan;

enum class Kind : uint8_t {
  kInt32,
  kInt64,
  kUint32,
  kUint64,
  kFloat,
  kDouble,
  kBool,
  kString,
  kBytes,
  kEnum,
  kTimestamp,
  kMessage
};

enum class Shape : uint8_t { kSingular, kRepeated, kMap };

// When a singular field is written.
enum class Written : uint8_t {
  kWhenPresent,
  kUnlessEmpty,  // a string without presence: looking at it tells, which saves asking
  kAlways        // a number without presence: its 0 means something
};

struct EnumWordPlan {
  std::string word;
  int number;
};

struct FieldPlan {
  const google::protobuf::FieldDescriptor* field = nullptr;
  std::string name;  // in JSON
  Kind kind = Kind::kString;
  Shape shape = Shape::kSingular;
  Written written = Written::kWhenPresent;
  bool text_values = false;                                // map with string values
  const google::protobuf::FieldDescriptor* raw = nullptr;  // an enum's `raw_of` sibling
  std::vector<EnumWordPlan> words;                         // of an enum; by declaration, no aliases
  const MessagePlan* child = nullptr;  // of a message field or a map (its entry)
};

struct MessagePlan {
  const google::protobuf::Message* prototype = nullptr;
  const google::protobuf::Reflection* reflection = nullptr;
  std::vector<FieldPlan> fields;  // without `raw_of` and `unreadable` ones: they are in no JSON
  const google::protobuf::FieldDescriptor* unreadable = nullptr;  // takes the paths of such members

  // The field of that JSON name, or null. `hint` is the index to try first and is set to the one
  // after the field found: keys usually come in the same order as the time before.
  const FieldPlan* Find(absl::string_view name, size_t* hint) const;

  // A map entry's two fields.
  const FieldPlan& key() const { return fields[0]; }
  const FieldPlan& value() const { return fields[1]; }

  std::vector<uint16_t> slots;  // open addressing; index into fields plus one, 0 is free
};

// The plan of a generated message type, kept for ever; null for a type that is not generated (its
// descriptor could go away). Thread-safe; takes no lock once the plan is there.
const MessagePlan* PlanOf(const google::protobuf::Descriptor* type);

// Adds an element to a repeated message field, or an entry to a map. Reflection's own AddMessage
// looks the element's prototype up under a process-wide lock.
google::protobuf::Message* AddChild(const FieldPlan& field, const MessagePlan& plan,
                                    google::protobuf::Message* message);

}  // namespace ipp::json
