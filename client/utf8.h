#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

// Texts of proto3 are UTF-8. Protobuf for C++ sends what is not, and the gateway cannot read such a
// request at all: gRPC answers before any of the gateway's code sees it, without a reason.
namespace ipp::client {

// Whether the bytes are UTF-8 as RFC 3629 has it: no surrogates, no longer form than needed,
// nothing above U+10FFFF.
bool IsUtf8(absl::string_view bytes);

// The path of the first text in `message` that is not UTF-8, such as "order_items[1].name".
std::optional<std::string> FieldNotUtf8(const google::protobuf::Message& message);

}  // namespace ipp::client
