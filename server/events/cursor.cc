#include "server/events/cursor.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/store/store_error.h"

namespace ipp::events {
namespace {

constexpr char kVersion = 1;
constexpr size_t kBodySize = 1 + 8 + 8;          // version, log, position
constexpr size_t kRawSize = kBodySize + 4;       // checksum
static_assert(kRawSize * 4 / 3 == kCursorSize);  // base64 without padding

void AppendBigEndian(uint64_t value, int bytes, std::string* out) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
    out->push_back(static_cast<char>(value >> shift & 0xff));
  }
}

uint64_t ReadBigEndian(absl::string_view bytes) {
  uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

// FNV-1a: finds what was mistyped or cut; a cursor grants nothing, so nobody needs to be kept from
// making one.
uint32_t Checksum(absl::string_view bytes) {
  uint32_t hash = 2166136261u;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return hash;
}

absl::Status Invalid(absl::string_view reason, absl::string_view field, absl::string_view what) {
  return MakeError(absl::StatusCode::kInvalidArgument, absl::StrCat(field, ": ", what),
                   {.reason = std::string(reason),
                    .metadata = {},
                    .violations = {{std::string(field), std::string(what)}},
                    .retry_after = std::nullopt});
}

absl::Status Foreign(absl::string_view field) {
  return Invalid("CURSOR_FOREIGN", field, "is a cursor of another event log");
}

}  // namespace

std::string EncodeCursor(absl::string_view log_id, int64_t position) {
  std::string raw(1, kVersion);
  raw += absl::HexStringToBytes(log_id);
  raw.resize(9);
  AppendBigEndian(static_cast<uint64_t>(position), 8, &raw);
  AppendBigEndian(Checksum(raw), 4, &raw);
  return absl::WebSafeBase64Escape(raw);
}

absl::Status CursorExpired(absl::string_view log_id, const store::LogBounds& bounds,
                           absl::string_view field) {
  return MakeError(
      absl::StatusCode::kOutOfRange,
      absl::StrCat(field,
                   ": events after this cursor are no longer kept; start at oldest_cursor, "
                   "or ask for SKIP_TO_OLDEST"),
      {.reason = "CURSOR_EXPIRED",
       .metadata = {{"oldest_cursor", EncodeCursor(log_id, bounds.oldest - 1)},
                    {"latest_cursor", EncodeCursor(log_id, bounds.latest)}},
       .violations = {},
       .retry_after = std::nullopt});
}

absl::StatusOr<int64_t> ParseCursor(absl::string_view cursor, absl::string_view log_id,
                                    absl::string_view field) {
  std::string raw;
  if (cursor.size() != kCursorSize || !absl::WebSafeBase64Unescape(cursor, &raw) ||
      raw.size() != kRawSize || absl::WebSafeBase64Escape(raw) != cursor ||
      ReadBigEndian(absl::string_view(raw).substr(kBodySize)) !=
          Checksum(absl::string_view(raw).substr(0, kBodySize)) ||
      raw[0] != kVersion) {
    return Invalid("CURSOR_MALFORMED", field, "is not a cursor that this gateway gave out");
  }
  const auto position = static_cast<int64_t>(ReadBigEndian(absl::string_view(raw).substr(9, 8)));
  if (raw.substr(1, 8) != absl::HexStringToBytes(log_id) || position < 0) return Foreign(field);
  return position;
}

absl::Status CheckPlace(int64_t position, absl::string_view log_id, const store::LogBounds& bounds,
                        absl::string_view field) {
  if (position > bounds.latest) return Foreign(field);
  if (position < bounds.oldest - 1) return CursorExpired(log_id, bounds, field);
  return absl::OkStatus();
}

void CheckPlaceInLog(store::Store* store, int64_t position, std::string field,
                     absl::AnyInvocable<void(absl::Status) &&> done) {
  store->RefreshBounds([store, position, field = std::move(field),
                        done = std::move(done)](absl::StatusOr<store::LogBounds> bounds) mutable {
    std::move(done)(bounds.ok() ? CheckPlace(position, store->log_id(), *bounds, field)
                                : store::ForCallers(bounds.status()));
  });
}

}  // namespace ipp::events
