#include "server/events/cursor.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/base/encoding.h"
#include "server/base/error.h"
#include "server/store/store_error.h"

namespace ipp::events {
namespace {

constexpr size_t kLogSize = 8;
constexpr size_t kChecksumSize = 4;
constexpr char kVersion = 2;
constexpr size_t kBodySize = 1 + kLogSize + 2 + 6 + 3;  // version, log, epoch, position, content
static_assert((kBodySize + kChecksumSize) * 4 / 3 == kCursorSize);
constexpr int64_t kLastPosition = (int64_t{1} << 48) - 1;

constexpr char kVersion1 = 1;
constexpr size_t kBodySize1 = 1 + kLogSize + 8;

uint64_t ReadBigEndian(absl::string_view bytes) {
  uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

// Returns the end of what was written.
char* WriteBigEndian(uint64_t value, size_t bytes, char* out) {
  for (size_t i = bytes; i > 0; --i) *out++ = static_cast<char>(value >> (i - 1) * 8 & 0xff);
  return out;
}

// FNV-1a detects cursors that were mistyped or cut. A cursor grants no access, so it needs no
// protection against forgery.
constexpr uint32_t kChecksumBasis = 2166136261u;

uint32_t Continue(uint32_t hash, absl::string_view bytes) {
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return hash;
}
uint32_t Checksum(absl::string_view bytes) { return Continue(kChecksumBasis, bytes); }

// Each step of one checksum waits for the step before it, for several cycles. The steps of others
// fill them.
constexpr size_t kLanes = 4;
std::array<uint32_t, kLanes> Checksums(const std::array<absl::string_view, kLanes>& bytes) {
  size_t common = bytes[0].size();
  for (const absl::string_view lane : bytes) common = std::min(common, lane.size());
  std::array<uint32_t, kLanes> hashes;
  hashes.fill(kChecksumBasis);
  for (size_t i = 0; i < common; ++i) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      hashes[lane] = (hashes[lane] ^ static_cast<unsigned char>(bytes[lane][i])) * 16777619u;
    }
  }
  for (size_t lane = 0; lane < kLanes; ++lane) {
    hashes[lane] = Continue(hashes[lane], bytes[lane].substr(common));
  }
  return hashes;
}

uint32_t ContentOfHash(uint32_t hash) {
  const uint32_t bits = (hash ^ hash >> 24) & 0xffffff;
  return bits == 0 ? 1 : bits;
}

absl::Status Invalid(absl::string_view reason, absl::string_view field, absl::string_view what) {
  return MakeError(
      absl::StatusCode::kInvalidArgument, absl::StrCat(field, ": ", what),
      {.reason = std::string(reason), .violations = {{std::string(field), std::string(what)}}});
}

// The decoded bytes before the checksum; empty if the cursor is malformed.
std::string Body(absl::string_view cursor) {
  std::string raw = DecodeBase64Url(cursor).value_or("");
  if (raw.size() <= kChecksumSize) return "";
  const size_t size = raw.size() - kChecksumSize;
  const absl::string_view bytes = raw;
  if (ReadBigEndian(bytes.substr(size)) != Checksum(bytes.substr(0, size))) return "";
  raw.resize(size);
  return raw;
}

}  // namespace

uint32_t ContentOf(const store::StoredEvent& event) {
  return ContentOfHash(Checksum(event.payload));
}

std::vector<uint32_t> ContentsOf(absl::Span<const store::StoredEvent> events) {
  std::vector<uint32_t> contents;
  contents.reserve(events.size());
  while (events.size() - contents.size() >= kLanes) {
    std::array<absl::string_view, kLanes> payloads;
    for (absl::string_view& payload : payloads) {
      payload = events[contents.size() + static_cast<size_t>(&payload - payloads.data())].payload;
    }
    for (const uint32_t hash : Checksums(payloads)) contents.push_back(ContentOfHash(hash));
  }
  while (contents.size() < events.size()) contents.push_back(ContentOf(events[contents.size()]));
  return contents;
}

// For each event that is read from the log, so without a string that grows byte by byte.
std::string EncodeCursor(absl::string_view log_id, const LogPlace& place) {
  std::array<char, kBodySize + kChecksumSize> raw{kVersion};
  const std::string log = BytesOfHex(log_id);
  std::copy_n(log.data(), std::min(log.size(), kLogSize), raw.data() + 1);
  char* end = WriteBigEndian(place.epoch, 2, raw.data() + 1 + kLogSize);
  end = WriteBigEndian(static_cast<uint64_t>(place.position), 6, end);
  end = WriteBigEndian(place.content, 3, end);
  WriteBigEndian(Checksum({raw.data(), kBodySize}), kChecksumSize, end);
  return absl::WebSafeBase64Escape({raw.data(), raw.size()});
}

absl::Status CursorForeign(absl::string_view field) {
  return Invalid("CURSOR_FOREIGN", field,
                 "is a cursor of another event log, or of events that this log has lost");
}

absl::Status CursorExpired(absl::string_view log_id, const store::LogBounds& bounds,
                           absl::string_view field) {
  const uint16_t epoch = bounds.epoch().label;
  return MakeError(
      absl::StatusCode::kOutOfRange,
      absl::StrCat(field,
                   ": events after this cursor are no longer kept; start at oldest_cursor, "
                   "or ask for SKIP_TO_OLDEST"),
      {.reason = "CURSOR_EXPIRED",
       .metadata = {{"oldest_cursor", EncodeCursor(log_id, {bounds.oldest - 1, epoch})},
                    {"latest_cursor", EncodeCursor(log_id, {bounds.latest, epoch})}}});
}

absl::StatusOr<LogPlace> ParseCursor(absl::string_view cursor, absl::string_view log_id,
                                     absl::string_view field) {
  const std::string raw = cursor.size() > kCursorSize ? "" : Body(cursor);
  const absl::string_view body = raw;
  LogPlace place;
  if (body.size() == kBodySize && body[0] == kVersion) {
    place.epoch = static_cast<uint16_t>(ReadBigEndian(body.substr(1 + kLogSize, 2)));
    place.position = static_cast<int64_t>(ReadBigEndian(body.substr(1 + kLogSize + 2, 6)));
    place.content = static_cast<uint32_t>(ReadBigEndian(body.substr(kBodySize - 3)));
  } else if (body.size() == kBodySize1 && body[0] == kVersion1) {
    place.position = static_cast<int64_t>(ReadBigEndian(body.substr(1 + kLogSize)));
  } else {
    return Invalid("CURSOR_MALFORMED", field, "is not a cursor that this gateway gave out");
  }
  if (body.substr(1, kLogSize) != BytesOfHex(log_id) || place.position < 0 ||
      place.position > kLastPosition) {
    return CursorForeign(field);
  }
  return place;
}

absl::Status CheckPlace(const LogPlace& place, absl::string_view log_id,
                        const store::LogBounds& bounds, absl::string_view field) {
  if (place.position > bounds.latest ||
      place.position > store::SharedThrough(bounds, place.epoch)) {
    return CursorForeign(field);
  }
  if (place.position < bounds.oldest - 1) return CursorExpired(log_id, bounds, field);
  return absl::OkStatus();
}

namespace {

void CheckContent(store::Store* store, const LogPlace& place, std::string field,
                  absl::AnyInvocable<void(absl::Status) &&> done) {
  using Rows = std::vector<store::StoredEvent>;
  store->ReadEvents(
      place.position - 1, 1,
      [place, field = std::move(field), done = std::move(done)](absl::StatusOr<Rows> rows) mutable {
        if (!rows.ok()) return std::move(done)(store::ForCallers(rows.status()));
        // If the event is missing, retention has removed it meanwhile; the reader will find that
        // out.
        const bool other = !rows->empty() && rows->front().position == place.position &&
                           ContentOf(rows->front()) != place.content;
        std::move(done)(other ? CursorForeign(field) : absl::OkStatus());
      });
}

}  // namespace

void CheckPlaceInLog(store::Store* store, const LogPlace& place, std::string field,
                     absl::AnyInvocable<void(absl::Status) &&> done) {
  store->RefreshBounds([store, place, field = std::move(field),
                        done = std::move(done)](absl::StatusOr<store::LogBounds> bounds) mutable {
    if (!bounds.ok()) return std::move(done)(store::ForCallers(bounds.status()));
    absl::Status status = CheckPlace(place, store->log_id(), *bounds, field);
    if (!status.ok() || place.content == 0 || place.position < bounds->oldest) {
      return std::move(done)(std::move(status));
    }
    CheckContent(store, place, std::move(field), std::move(done));
  });
}

}  // namespace ipp::events
