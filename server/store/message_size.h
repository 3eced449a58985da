#pragma once

#include <cstddef>

#include "kustom/ipp/v1/session_event.pb.h"

// A client takes messages of up to 4 MiB unless told otherwise, and an event that it refuses is the
// next one again when it resumes: it never gets past it. The upstream may answer with a larger
// session. So what goes out is cut to a size that every reader takes, and says so.
namespace ipp::store {

// Of one event, or of one message of a watch; serialized.
inline constexpr size_t kMaxEventBytes = 256 * 1024;

// Leaves out order_items, then the largest text fields of the session and of the event, until the
// event has at most kMaxEventBytes; sets `session_truncated`. Ids stay, so an event whose ids alone
// are larger stays larger. True: something was left out.
bool CapEvent(kustom::ipp::v1::SessionEvent* event);

// The same for a session that goes out alone. Its session_id stays.
bool CapSession(kustom::ipp::v1::Session* session);

}  // namespace ipp::store
