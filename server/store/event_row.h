#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "kustom/ipp/v1/session_event.pb.h"
#include "server/store/store.h"

namespace ipp::store {

// Makes the log row for `event`: sets `recorded_at`, clears the cursor, takes the fields that
// filters use from the event and its session, caps the event's size (message_size.h), and
// serializes it once for all readers.
StoredEvent MakeRow(kustom::ipp::v1::SessionEvent event, int64_t position, absl::Time recorded_at);

}  // namespace ipp::store
