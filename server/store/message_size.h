#pragma once

#include <cstddef>

#include "kustom/ipp/v1/session_event.pb.h"

// Limits the size of an outgoing event. A gRPC client accepts messages of up to 4 MiB by default.
// If it refuses an event, it gets the same event again when it resumes, so it would never get past
// it. The upstream may answer with a larger session; what goes out is therefore cut to a size that
// every reader accepts, and marked as cut.
namespace ipp::store {

// The largest serialized size of one event, or of one message of a watch.
inline constexpr size_t kMaxEventBytes = 256 * 1024;

// Clears order_items, then the largest text fields of the session and of the event, until the event
// has at most kMaxEventBytes; sets `session_truncated`. Ids are kept, so an event whose ids alone
// are larger stays larger. Returns whether something was cleared.
bool CapEvent(kustom::ipp::v1::SessionEvent* event);

// The same for a session that is sent without an event. Its session_id is kept.
bool CapSession(kustom::ipp::v1::Session* session);

}  // namespace ipp::store
