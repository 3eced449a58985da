#include "tests/json/timestamp_check.h"

#include <cstdint>
#include <cstring>
#include <string>

#include "absl/time/time.h"
#include "server/json/timestamp.h"
#include "tests/support/require.h"

namespace ipp::json::test {
namespace {

constexpr int64_t kFirst = -62135596800;  // year 1
constexpr int64_t kEnd = 253402300800;    // year 10000

void CheckWritten(int64_t seconds, int32_t nanos) {
  char buffer[kTimestampSize];
  const size_t size = FormatTimestamp(seconds, nanos, buffer);
  const bool in_range = seconds >= kFirst && seconds < kEnd && nanos >= 0 && nanos < 1'000'000'000;
  Require((size > 0) == in_range, "a time outside the calendar, or none inside");
  if (size == 0) return;
  Require(size <= kTimestampSize, "longer than it may be");
  const absl::string_view text(buffer, size);
  absl::Time theirs;
  std::string error;
  Require(absl::ParseTime(absl::RFC3339_full, text, &theirs, &error), "Abseil refuses it", text);
  Require(theirs == absl::FromUnixSeconds(seconds) + absl::Nanoseconds(nanos),
          "Abseil reads another time", text);
  int64_t back_seconds = 0;
  int32_t back_nanos = 0;
  Require(ParseTimestamp(text, &back_seconds, &back_nanos), "not read back", text);
  Require(back_seconds == seconds && back_nanos == nanos, "read back as another time", text);
}

void CheckText(absl::string_view text) {
  int64_t seconds = 0;
  int32_t nanos = 0;
  if (!ParseTimestamp(text, &seconds, &nanos)) return;
  absl::Time theirs;
  std::string error;
  Require(absl::ParseTime(absl::RFC3339_full, text, &theirs, &error), "Abseil refuses it", text);
  Require(theirs == absl::FromUnixSeconds(seconds) + absl::Nanoseconds(nanos),
          "Abseil reads another time", text);
  CheckWritten(seconds, nanos);
}

}  // namespace

void CheckTimestamp(absl::string_view bytes) {
  CheckText(bytes);
  if (bytes.size() < 12) return;
  int64_t seconds = 0;
  int32_t nanos = 0;
  std::memcpy(&seconds, bytes.data(), 8);
  std::memcpy(&nanos, bytes.data() + 8, 4);
  CheckWritten(seconds, nanos);
  // Most numbers are no time: these are.
  CheckWritten(kFirst + static_cast<int64_t>(static_cast<uint64_t>(seconds) % (kEnd - kFirst)),
               nanos);
}

}  // namespace ipp::json::test
