#pragma once

#include <string>

#include "google/protobuf/message.h"
#include "server/json/plan.h"

// Through reflection a map is a list of entries, in which a key can occur more than once.
namespace ipp::json {

// The entry's key as JSON has it, that is, as a string.
std::string MapKeyText(const MessagePlan& entry_plan, const google::protobuf::Message& entry);

// Keeps only the last entry of each key.
void DropRepeatedKeys(const FieldPlan& map, const MessagePlan& plan,
                      google::protobuf::Message* message);

}  // namespace ipp::json
