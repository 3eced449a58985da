#pragma once

#include <cstdint>
#include <string>

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

// The position. INVALID_ARGUMENT / CURSOR_MALFORMED (mistyped, cut, tampered with) or
// CURSOR_FOREIGN (another log, or a place that this log has not reached); OUT_OF_RANGE /
// CURSOR_EXPIRED with `oldest_cursor` and `latest_cursor` in its metadata when what follows it is
// no longer kept whole. `field` names the request field.
absl::StatusOr<int64_t> DecodeCursor(absl::string_view cursor, absl::string_view log_id,
                                     const store::LogBounds& bounds, absl::string_view field);

absl::Status CursorExpired(absl::string_view log_id, const store::LogBounds& bounds,
                           absl::string_view field);

}  // namespace ipp::events
