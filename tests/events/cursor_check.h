#pragma once

#include "absl/strings/string_view.h"

namespace ipp::events {

// What must hold for any bytes; see Require.
//  * As a cursor, they are refused as malformed or as foreign, or the one spelling of their place.
//    Foreign is what another log would take.
//  * Eighteen bytes are a place (eight for the log, two for the epoch, six for the position, the
//    last three for the content; two of these say which character to mistype, and how): its cursor
//    comes back, is malformed when mistyped, else foreign to another log.
void CheckCursor(absl::string_view bytes);

}  // namespace ipp::events
