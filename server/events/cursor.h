#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "server/store/store.h"

namespace ipp::events {

// A place in one log. It means "continue after this position".
struct LogPlace {
  int64_t position = 0;
  uint16_t epoch = 0;  // label of the epoch in which the position was read; store/log_bounds.h
  // ContentOf() the event at `position`; 0: not known.
  uint32_t content = 0;

  bool operator==(const LogPlace&) const = default;
};

// A 24-bit hash of a stored event, never 0. Cursors that clients keep contain it, so neither the
// hash nor the stored bytes of an event may ever change.
uint32_t ContentOf(const store::StoredEvent& event);
// Of many events, in their order; several times faster than one after another.
std::vector<uint32_t> ContentsOf(absl::Span<const store::StoredEvent> events);

// The length of every cursor that is given out, in characters. It is fixed so that an event can be
// serialized before it is known who reads it.
//
// A cursor is opaque to callers. It is the base64 encoding (RFC 4648, section 5, no padding) of
// these bytes, with numbers in network byte order:
//    0  1  version: 2
//    1  8  identity of the log
//    9  2  label of the epoch
//   11  6  position
//   17  3  content
//   20  4  checksum of the bytes before it (FNV-1a)
// Version 1, of earlier releases, is also accepted: version, identity, 8 bytes of position,
// checksum. Its epoch is the first one, its content is not known.
inline constexpr size_t kCursorSize = 32;

std::string EncodeCursor(absl::string_view log_id, const LogPlace& place);

// Parses a cursor of this log. INVALID_ARGUMENT / CURSOR_MALFORMED (mistyped, cut, tampered with)
// or CURSOR_FOREIGN (another log). `field` names the request field, here and below.
absl::StatusOr<LogPlace> ParseCursor(absl::string_view cursor, absl::string_view log_id,
                                     absl::string_view field);

// Whether a reader can continue after `place`. INVALID_ARGUMENT / CURSOR_FOREIGN for a place that
// this log has not reached, or reached only in a history that it has lost (by a restore or a
// failover). OUT_OF_RANGE / CURSOR_EXPIRED, with `oldest_cursor` and `latest_cursor` in its
// metadata, if retention has removed events after the place.
absl::Status CheckPlace(const LogPlace& place, absl::string_view log_id,
                        const store::LogBounds& bounds, absl::string_view field);

// CheckPlace with bounds read from the log, since the store's bounds() may lag behind what another
// replica has given out or trimmed. Also CURSOR_FOREIGN if the log holds a different event at the
// place: it was restored, and no epoch says so. `done` runs once, on the store's thread, also with
// UNAVAILABLE / STORE_UNAVAILABLE.
void CheckPlaceInLog(store::Store* store, const LogPlace& place, std::string field,
                     absl::AnyInvocable<void(absl::Status) &&> done);

absl::Status CursorExpired(absl::string_view log_id, const store::LogBounds& bounds,
                           absl::string_view field);
absl::Status CursorForeign(absl::string_view field);

}  // namespace ipp::events
