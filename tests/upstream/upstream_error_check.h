#pragma once

#include "absl/strings/string_view.h"

namespace ipp::upstream {

// What must hold for any bytes, read as an answer that is no success; see Require. A line each for
// the code, Retry-After and the field that the body was sent as; then the body. For every kind of
// call it is an error with a reason, an outcome and whether a retry is safe, which agree;
// printable, short, without the secret `hunter2`; a change that may have been done is nothing that
// stubs repeat blindly. It is the same after a way through google.rpc.Status.
void CheckUpstreamError(absl::string_view bytes);

}  // namespace ipp::upstream
