#pragma once

#include "absl/strings/string_view.h"

namespace ipp::webhook {

// What must hold for any bytes as the body of a delivery; see Require.
//  * Without a valid signature: 401.
//  * Signed: one answer, which does not quote the word `hunter2`. With 400 or 403, or as another
//    product's event, nothing is kept of it. Else one event is, of the merchant who signed;
//    delivered again it is known, and nothing more is kept.
void CheckWebhook(absl::string_view bytes);

}  // namespace ipp::webhook
