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

bool IsForeign(const absl::StatusOr<int64_t>& place) {
  static const auto* const foreign =
      new absl::Status(Exemplar(EncodeCursor("", 0), "CURSOR_FOREIGN"));
  return place.status().message() == foreign->message();
}

bool IsMalformed(const absl::StatusOr<int64_t>& place) {
  static const auto* const malformed = new absl::Status(Exemplar("", "CURSOR_MALFORMED"));
  return place.status().message() == malformed->message();
}

void CheckText(absl::string_view text) {
  const absl::StatusOr<int64_t> position = ParseCursor(text, kLog, "after_cursor");
  if (position.ok()) {
    Require(*position >= 0, "a place before the log", text);
    Require(EncodeCursor(kLog, *position) == text, "another spelling of a cursor", text);
    return;
  }
  std::string raw;
  if (text.size() != kCursorSize || !absl::WebSafeBase64Unescape(text, &raw) || raw.size() < 17) {
    return Require(IsMalformed(position), "what is no cursor is not malformed", text);
  }
  const std::string log = absl::BytesToHexString(absl::string_view(raw).substr(1, 8));
  const bool at_home = ParseCursor(text, log, "after_cursor").ok();
  const bool before_any_log = (raw[9] & 0x80) != 0;
  Require(IsForeign(position) ? at_home || before_any_log : IsMalformed(position) && !at_home,
          "foreign taken for malformed", text);
}

void CheckPlace(absl::string_view place) {
  const std::string log = absl::BytesToHexString(place.substr(0, 8));
  uint64_t number = 0;
  for (const char byte : place.substr(8, 8)) {
    number = number << 8 | static_cast<unsigned char>(byte);
  }
  const auto position = static_cast<int64_t>(number >> 1);

  const std::string cursor = EncodeCursor(log, position);
  const absl::StatusOr<int64_t> back = ParseCursor(cursor, log, "after_cursor");
  Require(back.ok() && *back == position, "another place came back", cursor);
  std::string mistyped = cursor;
  char& wrong = mistyped[static_cast<unsigned char>(place[16]) % mistyped.size()];
  wrong = kAlphabet[static_cast<unsigned char>(place[17]) % 64];
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
