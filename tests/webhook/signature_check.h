#pragma once

#include "absl/strings/string_view.h"

namespace ipp::webhook {

// What must hold for any bytes; see Require. They are four lines: webhook-id, webhook-timestamp,
// webhook-signature, and the body with all that follows.
//  * They have no valid signature, so they are refused, and no key is in the reason.
//  * Signed, with a good timestamp, they are taken, also beside the signature that they brought;
//    with any byte of id, timestamp, signature, body or key turned, or a stale timestamp, not.
//  * A single line is a secret too: refused without its text in the reason, or the one spelling of
//    its key.
void CheckSignature(absl::string_view bytes);

}  // namespace ipp::webhook
