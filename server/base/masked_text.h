#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

// The only way to print a message: fields that the contract marks `sensitive` (annotations.proto)
// are masked.
namespace ipp {

// The text that replaces a secret.
inline constexpr absl::string_view kMask = "********";

// Masks every set field that is marked, at any depth. A marked field that is not text is cleared.
void MaskSensitive(google::protobuf::Message* message);

// The message on one line, masked. Fields that the contract does not know are left out, since they
// could be secrets.
std::string MaskedText(const google::protobuf::Message& message);

}  // namespace ipp
