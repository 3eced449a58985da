#include "tests/events/cursor_check.h"

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "server/base/error.h"
#include "server/events/cursor.h"
#include "tests/support/require.h"

namespace ipp::events {
namespace {

constexpr char kLog[] = "0123456789abcdef";
constexpr size_t kFirstVersionSize = 28;
constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

// The one answer to every foreign cursor, or to every malformed one.
absl::Status Exemplar(absl::string_view cursor, absl::string_view reason) {
  absl::Status refused = ParseCursor(cursor, kLog, "after_cursor").status();
  const ErrorDetail detail = GetErrorDetail(refused);
  Require(refused.code() == absl::StatusCode::kInvalidArgument && detail.reason == reason,
          "another reason", refused.ToString());
  Require(detail.violations.size() == 1 && detail.violations[0].field == "after_cursor",
          "the field is not named");
  return refused;
}

bool IsForeign(const absl::StatusOr<LogPlace>& place) {
  static const auto* const foreign =
      new absl::Status(Exemplar(EncodeCursor("", {0}), "CURSOR_FOREIGN"));
  return place.status().message() == foreign->message();
}

bool IsMalformed(const absl::StatusOr<LogPlace>& place) {
  static const auto* const malformed = new absl::Status(Exemplar("", "CURSOR_MALFORMED"));
  return place.status().message() == malformed->message();
}

void CheckText(absl::string_view text) {
  const absl::StatusOr<LogPlace> place = ParseCursor(text, kLog, "after_cursor");
  if (place.ok()) {
    Require(place->position >= 0, "a place before the log", text);
    Require(place->content <= 0xffffff, "more content than there is", text);
    const bool first_version = text.size() == kFirstVersionSize;
    Require(first_version ? place->epoch == 0 && place->content == 0
                          : EncodeCursor(kLog, *place) == text,
            "another spelling of a cursor", text);
    return;
  }
  std::string raw;
  if ((text.size() != kCursorSize && text.size() != kFirstVersionSize) ||
      !absl::WebSafeBase64Unescape(text, &raw) || raw.size() < 17) {
    return Require(IsMalformed(place), "what is no cursor is not malformed", text);
  }
  const std::string log = absl::BytesToHexString(absl::string_view(raw).substr(1, 8));
  const bool at_home = ParseCursor(text, log, "after_cursor").ok();
  const bool in_no_log = raw[0] == 1 && (raw[9] != 0 || raw[10] != 0);
  Require(IsForeign(place) ? at_home || in_no_log : IsMalformed(place) && !at_home,
          "foreign taken for malformed", text);
}

void CheckPlace(absl::string_view bytes) {
  const std::string log = absl::BytesToHexString(bytes.substr(0, 8));
  const auto number = [bytes](size_t from, size_t size) {
    uint64_t value = 0;
    for (const char byte : bytes.substr(from, size)) {
      value = value << 8 | static_cast<unsigned char>(byte);
    }
    return value;
  };
  const LogPlace place{static_cast<int64_t>(number(10, 6)), static_cast<uint16_t>(number(8, 2)),
                       static_cast<uint32_t>(number(15, 3))};

  const std::string cursor = EncodeCursor(log, place);
  const absl::StatusOr<LogPlace> back = ParseCursor(cursor, log, "after_cursor");
  Require(back.ok() && *back == place, "another place came back", cursor);
  std::string mistyped = cursor;
  char& wrong = mistyped[number(16, 1) % mistyped.size()];
  wrong = kAlphabet[number(17, 1) % 64];
  if (mistyped != cursor) {
    Require(IsMalformed(ParseCursor(mistyped, log, "after_cursor")), "a mistyped cursor", mistyped);
  } else if (log != kLog) {
    Require(IsForeign(ParseCursor(cursor, kLog, "after_cursor")), "a cursor of another log",
            cursor);
  }
}

}  // namespace

void CheckCursor(absl::string_view bytes) {
  if (bytes.size() == 18) return CheckPlace(bytes);
  CheckText(bytes);
}

}  // namespace ipp::events
