#pragma once

#include "kustom/ipp/v1/outcome.pb.h"
#include "server/store/intent.h"

namespace ipp::rpc {

// What the contract says of a create.
void Describe(const store::IntentRecord& intent, kustom::ipp::v1::CreateOutcome* outcome);

}  // namespace ipp::rpc
