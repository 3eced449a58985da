#pragma once

#include "absl/strings/string_view.h"

namespace ipp::json::test {

// What must hold for any message; see Require. The bytes are one in Protobuf's encoding, behind a
// byte that chooses it: `s` a Session, `d` a Device, else Kinds. It cannot be written, and the
// reason names a field; or the text is valid JSON for another parser, and is read back as the same
// message.
void CheckJsonWrite(absl::string_view bytes);

}  // namespace ipp::json::test
