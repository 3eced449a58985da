#include "client/ippctl/fields.h"

#include <cstdint>
#include <map>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

namespace ipp::ippctl {
namespace {

// The zero value's name is the prefix and UNSPECIFIED, as buf's STANDARD lint wants it.
std::string WithoutPrefix(const google::protobuf::EnumValueDescriptor& value) {
  const absl::string_view prefix =
      absl::StripSuffix(value.type()->FindValueByNumber(0)->name(), "UNSPECIFIED");
  return std::string(absl::StripPrefix(value.name(), prefix));
}

}  // namespace

std::vector<std::string> EnumChoices(const google::protobuf::EnumDescriptor* type) {
  std::vector<std::string> choices;
  for (int i = 0; i < type->value_count(); ++i) {
    if (type->value(i)->number() != 0) choices.push_back(ToChoice(WithoutPrefix(*type->value(i))));
  }
  return choices;
}

int EnumNumber(const google::protobuf::EnumDescriptor* type, absl::string_view choice) {
  const std::string wanted = ToChoice(choice);
  for (int i = 0; i < type->value_count(); ++i) {
    if (ToChoice(WithoutPrefix(*type->value(i))) == wanted) return type->value(i)->number();
  }
  return 0;
}

std::string EnumText(const google::protobuf::EnumDescriptor* type, int number,
                     absl::string_view raw) {
  if (number == 0) return raw.empty() ? "?" : std::string(raw);
  const google::protobuf::EnumValueDescriptor* value = type->FindValueByNumber(number);
  return value == nullptr ? absl::StrCat(number) : WithoutPrefix(*value);
}

void FillMap(const std::vector<std::pair<std::string, std::string>>& pairs, StringMap* map) {
  for (const auto& [key, value] : pairs) (*map)[key] = value;
}

std::string MapText(const StringMap& map) {
  const std::map<std::string, std::string> sorted(map.begin(), map.end());
  return absl::StrJoin(sorted, ", ", absl::PairFormatter("="));
}

std::string NewRequestId() {
  absl::BitGen random;
  const uint64_t high = (absl::Uniform<uint64_t>(random) & ~uint64_t{0xF000}) | 0x4000;  // version
  const uint64_t low = (absl::Uniform<uint64_t>(random) & ~(uint64_t{3} << 62)) | uint64_t{2} << 62;
  return absl::StrFormat("%08x-%04x-%04x-%04x-%012x", high >> 32, high >> 16 & 0xFFFF,
                         high & 0xFFFF, low >> 48, low & 0xFFFFFFFFFFFF);
}

Flag LocationFlag() {
  return {.name = "location", .value = "ID", .help = "the location (UUID)", .source = "locations"};
}

Flag MetadataFlag(absl::string_view help) {
  return {.name = "metadata",
          .kind = FlagKind::kPair,
          .value = "KEY=VALUE",
          .help = std::string(help),
          .repeated = true};
}

Flag RequestIdFlag() {
  return {.name = "request-id",
          .value = "UUID",
          .help = "names the creation: the same id never makes two; without it one is made up"};
}

Flag LimitFlag(absl::string_view fallback) {
  return {.name = "limit",
          .kind = FlagKind::kCount,
          .value = "N",
          .help = "no more than this many",
          .fallback = std::string(fallback)};
}

}  // namespace ipp::ippctl
