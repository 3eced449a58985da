#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

// The one way to show a message: what the contract marks `sensitive` (annotations.proto) is not in
// it.
namespace ipp {

// What stands in the place of a secret.
inline constexpr absl::string_view kMask = "********";

// Puts the mask into every set field that is marked, at any depth; what is no text is cleared.
void MaskSensitive(google::protobuf::Message* message);

// The message on one line, masked. Fields that the contract does not know are left out, since
// nobody can say whether they are secrets.
std::string MaskedText(const google::protobuf::Message& message);

}  // namespace ipp
