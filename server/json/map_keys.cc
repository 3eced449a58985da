#include "server/json/map_keys.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"

namespace ipp::json {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

std::string MapKeyText(const MessagePlan& entry_plan, const Message& entry) {
  const Reflection* reflection = entry_plan.reflection;
  const FieldDescriptor* key = entry_plan.key().field;
  switch (entry_plan.key().kind) {
    case Kind::kInt32:
      return absl::StrCat(reflection->GetInt32(entry, key));
    case Kind::kInt64:
      return absl::StrCat(reflection->GetInt64(entry, key));
    case Kind::kUint32:
      return absl::StrCat(reflection->GetUInt32(entry, key));
    case Kind::kUint64:
      return absl::StrCat(reflection->GetUInt64(entry, key));
    case Kind::kBool:
      return reflection->GetBool(entry, key) ? "true" : "false";
    default:
      return reflection->GetString(entry, key);
  }
}

void DropRepeatedKeys(const FieldPlan& map, const MessagePlan& plan, Message* message) {
  const Reflection* reflection = plan.reflection;
  const int size = reflection->FieldSize(*message, map.field);
  if (size < 2) return;
  absl::InlinedVector<std::string, 8> keys;
  for (int i = 0; i < size; ++i) {
    keys.push_back(MapKeyText(*map.child, reflection->GetRepeatedMessage(*message, map.field, i)));
  }
  absl::InlinedVector<absl::string_view, 8> sorted(keys.begin(), keys.end());
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end()) return;

  absl::flat_hash_map<absl::string_view, int> places;
  int kept = 0;
  for (int i = 0; i < size; ++i) {
    const auto [place, added] = places.emplace(keys[static_cast<size_t>(i)], kept);
    if (place->second != i) reflection->SwapElements(message, map.field, place->second, i);
    if (added) ++kept;
  }
  for (int i = kept; i < size; ++i) reflection->RemoveLast(message, map.field);
}

}  // namespace ipp::json
