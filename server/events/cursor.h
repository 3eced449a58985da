#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/store/store.h"

namespace ipp::events {

// A place in one log: "continue after this position".
struct LogPlace {
  int64_t position = 0;
  uint16_t epoch = 0;  // the label of the log's epoch at the time; see store/log_bounds.h
  // ContentOf the event at `position`; 0: not known.
  uint32_t content = 0;

  bool operator==(const LogPlace&) const = default;
};

// 24 bits of a hash of an event as it is kept, never 0. Cursors of clients hold it: neither the
// hash nor what is kept of an event that was once in the log may change.
uint32_t ContentOf(const store::StoredEvent& event);

// Every cursor that is given out has this many characters, so that an event can be serialised
// before anyone asks for it.
//
// A cursor is opaque to callers. Its bytes, numbers in network order, in base64 (RFC 4648, section
// 5) without padding:
//    0  1  version: 2
//    1  8  identity of the log
//    9  2  label of the epoch
//   11  6  position
//   17  3  content
//   20  4  checksum of all that (FNV-1a)
// Version 1, of earlier releases, is taken too: version, identity, 8 bytes of position,
// checksum; its epoch is the first one, its content not known.
inline constexpr size_t kCursorSize = 32;

std::string EncodeCursor(absl::string_view log_id, const LogPlace& place);

// The place of a cursor of this log. INVALID_ARGUMENT / CURSOR_MALFORMED (mistyped, cut, tampered
// with) or CURSOR_FOREIGN (another log). `field` names the request field, here and below.
absl::StatusOr<LogPlace> ParseCursor(absl::string_view cursor, absl::string_view log_id,
                                     absl::string_view field);

// Whether a reader can go on after `place`. INVALID_ARGUMENT / CURSOR_FOREIGN for a place that this
// log has not reached, or only before it was restored from a backup or lost events; OUT_OF_RANGE /
// CURSOR_EXPIRED with `oldest_cursor` and `latest_cursor` in its metadata when what follows it is
// no longer kept whole.
absl::Status CheckPlace(const LogPlace& place, absl::string_view log_id,
                        const store::LogBounds& bounds, absl::string_view field);

// CheckPlace by the log itself, since the store's bounds() may lag behind what another replica has
// given out, or trimmed. Also CURSOR_FOREIGN when the log holds another event at the place: it was
// restored, and nothing in it says so. `done` runs once, on the store's thread, also with
// UNAVAILABLE / STORE_UNAVAILABLE.
void CheckPlaceInLog(store::Store* store, const LogPlace& place, std::string field,
                     absl::AnyInvocable<void(absl::Status) &&> done);

absl::Status CursorExpired(absl::string_view log_id, const store::LogBounds& bounds,
                           absl::string_view field);
absl::Status CursorForeign(absl::string_view field);

}  // namespace ipp::events
