#pragma once

#include <cstdint>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/store/store.h"

namespace ipp::events {

// Every cursor has this many characters, so that an event can be serialised before anyone asks for
// it.
inline constexpr size_t kCursorSize = 28;

// A place in one log: "continue after this position". Opaque to callers: version, log identity,
// position, checksum.
std::string EncodeCursor(absl::string_view log_id, int64_t position);

// The position of a cursor of this log. INVALID_ARGUMENT / CURSOR_MALFORMED (mistyped, cut,
// tampered with) or CURSOR_FOREIGN (another log). `field` names the request field, here and below.
absl::StatusOr<int64_t> ParseCursor(absl::string_view cursor, absl::string_view log_id,
                                    absl::string_view field);

// Whether a reader can go on after `position`. INVALID_ARGUMENT / CURSOR_FOREIGN for a place that
// this log has not reached; OUT_OF_RANGE / CURSOR_EXPIRED with `oldest_cursor` and `latest_cursor`
// in its metadata when what follows it is no longer kept whole.
absl::Status CheckPlace(int64_t position, absl::string_view log_id, const store::LogBounds& bounds,
                        absl::string_view field);

// CheckPlace by the log itself, for a place that the store's bounds() would refuse: they may lag
// behind what another replica has given out, or trimmed. `done` runs once, on the store's thread,
// also with UNAVAILABLE / STORE_UNAVAILABLE.
void CheckPlaceInLog(store::Store* store, int64_t position, std::string field,
                     absl::AnyInvocable<void(absl::Status) &&> done);

absl::Status CursorExpired(absl::string_view log_id, const store::LogBounds& bounds,
                           absl::string_view field);

}  // namespace ipp::events
