#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/map.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/ippctl/flags.h"

// Conversions between words of the command line and fields of the contract.
namespace ipp::ippctl {

// Choices for a flag from an enum of the contract, without the prefix and the unspecified value:
// TAP_OUTCOME_LOST_CARD → "lost-card".
std::vector<std::string> EnumChoices(const google::protobuf::EnumDescriptor* type);
// The value of one of EnumChoices' words, in any case and with `_` or `-`; 0 for any other.
int EnumNumber(const google::protobuf::EnumDescriptor* type, absl::string_view choice);
// The text for a person: SESSION_STATUS_ACTIVE → "ACTIVE". The upstream's own value (`raw`) when
// the contract does not know it, "?" when that is empty too.
std::string EnumText(const google::protobuf::EnumDescriptor* type, int number,
                     absl::string_view raw = "");

using StringMap = google::protobuf::Map<std::string, std::string>;
void FillMap(const std::vector<std::pair<std::string, std::string>>& pairs, StringMap* map);
// "a=1, b=2", by key.
std::string MapText(const StringMap& map);

// A random UUID (version 4).
std::string NewRequestId();

// Flags that several commands take.
Flag LocationFlag();
Flag MetadataFlag(absl::string_view help);
Flag RequestIdFlag();
Flag LimitFlag(absl::string_view fallback);

}  // namespace ipp::ippctl
