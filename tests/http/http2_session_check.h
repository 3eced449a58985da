#pragma once

#include "absl/strings/string_view.h"

namespace ipp::http {

// What must hold for any bytes from an HTTP/2 server (within TLS); see Require.
//  * Each of the calls under way ends at most once, and is not heard of afterwards.
//  * An answer is within its limits; its headers are names in lower case, and printable.
//  * What is to be said in reply is no more than some hundred times nghttp2's limit for it.
// The first byte says in how many pieces the others come.
void CheckHttp2Session(absl::string_view bytes);

}  // namespace ipp::http
