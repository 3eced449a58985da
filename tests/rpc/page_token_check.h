#pragma once

#include "absl/strings/string_view.h"

namespace ipp::rpc {

// What must hold for any bytes; see Require.
//  * As a page token, they are refused, naming the field, or the one spelling of their number.
//  * Behind a zero byte, seven of a number and two that choose, they are a list request in
//  Protobuf's
//    encoding: its token comes back; mistyped, or elsewhere (another request, list or scope, or
//    beyond the largest), it is refused.
void CheckPageToken(absl::string_view bytes);

}  // namespace ipp::rpc
