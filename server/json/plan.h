#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

// What reading and writing need to know of a message type, derived from its descriptor once.
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
  kUnlessEmpty,  // a string without presence: its value tells, no HasField
  kAlways        // a number without presence: 0 is a meaningful value
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
  std::vector<EnumWordPlan> words;     // of an enum; in declaration order, no aliases
  const MessagePlan* child = nullptr;  // of a message field or a map (its entry)
};

struct MessagePlan {
  const google::protobuf::Message* prototype = nullptr;
  const google::protobuf::Reflection* reflection = nullptr;
  std::vector<FieldPlan> fields;  // without `raw_of` and `unreadable` fields
  const google::protobuf::FieldDescriptor* unreadable = nullptr;  // receives their paths

  // The field with that JSON name, or null. `hint` is the index to try first and is set to the
  // index after the field that was found: keys usually come in the same order each time.
  const FieldPlan* Find(absl::string_view name, size_t* hint) const;

  // The two fields of a map entry.
  const FieldPlan& key() const { return fields[0]; }
  const FieldPlan& value() const { return fields[1]; }

  std::vector<uint16_t> slots;  // open addressing; index into fields plus one, 0 is free
};

// The plan of a generated message type, kept forever; null for a type that is not generated (its
// descriptor could be destroyed). Thread-safe; takes no lock once the plan exists.
const MessagePlan* PlanOf(const google::protobuf::Descriptor* type);

// Adds an element to a repeated message field, or an entry to a map. Reflection's own AddMessage
// would look up the element's prototype under a process-wide lock.
google::protobuf::Message* AddChild(const FieldPlan& field, const MessagePlan& plan,
                                    google::protobuf::Message* message);

}  // namespace ipp::json
