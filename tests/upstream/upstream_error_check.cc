#include "tests/upstream/upstream_error_check.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "server/base/error.h"
#include "server/http/http_transport.h"
#include "server/upstream/http_status.h"
#include "server/upstream/retry_after.h"
#include "tests/support/require.h"

namespace ipp::upstream {
namespace {

namespace v1 = kustom::ipp::v1;

constexpr char kSecret[] = "hunter2";
constexpr size_t kLongest = 600;

void CheckWords(absl::string_view words) {
  Require(!absl::StrContains(words, kSecret), "a secret", words);
  Require(words.size() <= kLongest, "too long", words);
  Require(std::all_of(words.begin(), words.end(),
                      [](char c) { return static_cast<unsigned char>(c) >= 0x20; }),
          "not printable", words);
}

void CheckOutcome(const Failure& failure, const ErrorDetail& detail, v1::Repeat repeat) {
  Require(detail.metadata.at("outcome") == OutcomeName(failure.outcome), "two outcomes");
  const bool undone = failure.outcome == Outcome::kNotSent || failure.outcome == Outcome::kRejected;
  const bool safe = repeat != v1::REPEAT_NEVER || undone;
  Require(detail.metadata.at("retry_safe") == (safe ? "true" : "false"), "a retry is not safe");
  Require(safe || !detail.retry_after, "a wait, where a retry is not safe");
  if (repeat != v1::REPEAT_READ && failure.outcome == Outcome::kUnknown) {
    Require(failure.status.code() == absl::StatusCode::kUnknown, "stubs would repeat it");
  }
  if (detail.retry_after) {
    Require(
        *detail.retry_after >= absl::ZeroDuration() && *detail.retry_after <= kLongestRetryAfter,
        "a wait that nobody means");
  }
}

void CheckFailure(const Failure& failure, v1::Repeat repeat) {
  Require(!failure.status.ok(), "an error that is none");
  const ErrorDetail detail = GetErrorDetail(failure.status);
  Require(!detail.reason.empty(), "no reason");
  CheckWords(failure.status.message());
  for (const auto& violation : detail.violations) {
    CheckWords(violation.field);
    CheckWords(violation.description);
  }
  CheckOutcome(failure, detail, repeat);
  const absl::Status back = ParseError(SerializeError(failure.status));
  Require(back == failure.status, "another error after google.rpc.Status", back.ToString());
}

}  // namespace

void CheckUpstreamError(absl::string_view bytes) {
  const std::vector<std::string> lines = absl::StrSplit(bytes, absl::MaxSplits('\n', 3));
  if (lines.size() < 4) return;
  http::HttpResponse response{.code = 400, .headers = {}, .body = lines[3]};
  if (!absl::SimpleAtoi(lines[0], &response.code)) return;
  response.headers.emplace_back("retry-after", lines[1]);
  const std::string field = lines[2].substr(0, 64);  // the contract's, not the upstream's
  if (absl::StrContains(field, kSecret) ||
      !std::all_of(field.begin(), field.end(), absl::ascii_isgraph)) {
    return;
  }
  // The size chooses, so that an input costs one answer.
  const v1::Repeat repeats[] = {v1::REPEAT_READ, v1::REPEAT_HARMLESS, v1::REPEAT_NEVER};
  const v1::Repeat repeat = repeats[bytes.size() % 3];
  CheckFailure(
      FromResponse(response, repeat, field, {kSecret}, absl::FromUnixSeconds(1'790'000'000)),
      repeat);
}

}  // namespace ipp::upstream
