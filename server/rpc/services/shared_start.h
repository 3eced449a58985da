#pragma once

#include <cstdint>

#include "kustom/ipp/v1/shared_subscription.pb.h"
#include "server/store/store.h"

namespace ipp::rpc {

// The position after which a new shared subscription begins. INVALID_ARGUMENT or OUT_OF_RANGE for a
// cursor as in SubscribeSessionEvents; UNAVAILABLE / STORE_UNAVAILABLE. `done` may run inside the
// call.
void FindStart(store::Store* store, const kustom::ipp::v1::SharedSubscriptionStart& start,
               store::Done<int64_t> done);

}  // namespace ipp::rpc
