#pragma once

#include "absl/strings/string_view.h"

namespace ipp {

// What must hold for any bytes, a traceparent in the first line and a tracestate in the rest; see
// Require. What is made of them is a traceparent of version 00, with the ids that were sent or new
// ones, and a tracestate within the bounds of the recommendation; sent again it stays as it is. A
// new trace has no tracestate.
void CheckTraceContext(absl::string_view bytes);

}  // namespace ipp
