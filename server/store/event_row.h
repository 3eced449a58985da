#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "kustom/ipp/v1/session_event.pb.h"
#include "server/store/store.h"

namespace ipp::store {

// The row of the log that `event` becomes: `recorded_at` set, the cursor taken out, serialized once
// for all readers and small enough for each (message_size.h), the fields that filters look at taken
// from the event and its session.
StoredEvent MakeRow(kustom::ipp::v1::SessionEvent event, int64_t position, absl::Time recorded_at);

}  // namespace ipp::store
