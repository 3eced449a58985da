#include "server/base/trace_context.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/random/random.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

namespace ipp {
namespace {

constexpr size_t kTraceparentSize = 55;
constexpr size_t kLongestTracestate = 512;
constexpr size_t kMostMembers = 32;
constexpr size_t kLongestPart = 256;  // of a member's key and of its value

bool IsHex(absl::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == absl::string_view::npos;
}

bool IsId(absl::string_view text) {
  return IsHex(text) && text.find_first_not_of('0') != absl::string_view::npos;
}

// version "-" trace-id "-" parent-id "-" flags. Newer versions may append more after another "-".
bool IsTraceparent(absl::string_view text) {
  if (text.size() < kTraceparentSize || text[2] != '-' || text[35] != '-' || text[52] != '-') {
    return false;
  }
  const absl::string_view version = text.substr(0, 2);
  if (!IsHex(version) || version == "ff") return false;
  if (text.size() > kTraceparentSize && (version == "00" || text[kTraceparentSize] != '-')) {
    return false;
  }
  return IsId(text.substr(3, 32)) && IsId(text.substr(36, 16)) && IsHex(text.substr(53, 2));
}

// A newer version may define other flags; only "sampled" is certain to mean the same.
std::string AsVersion00(absl::string_view traceparent) {
  if (absl::StartsWith(traceparent, "00")) return std::string(traceparent);
  const char last = traceparent[54];
  const int digit = absl::ascii_isdigit(last) ? last - '0' : last - 'a' + 10;
  return absl::StrCat("00", traceparent.substr(2, 51), (digit & 1) != 0 ? "01" : "00");
}

bool IsKey(absl::string_view key) {
  if (key.empty() || key.size() > kLongestPart) return false;
  if (!absl::ascii_islower(key[0]) && !absl::ascii_isdigit(key[0])) return false;
  return std::all_of(key.begin(), key.end(), [](char c) {
    return absl::ascii_islower(c) || absl::ascii_isdigit(c) || absl::StrContains("_-*/@", c);
  });
}

bool IsValue(absl::string_view value) {
  return !value.empty() && value.size() <= kLongestPart && value.back() != ' ' &&
         std::all_of(value.begin(), value.end(),
                     [](char c) { return absl::ascii_isprint(c) && c != ',' && c != '='; });
}

// list-member *( OWS "," OWS list-member ), where a member may be empty.
std::string CleanTracestate(absl::string_view tracestate) {
  std::string clean;
  size_t members = 0;
  for (absl::string_view member : absl::StrSplit(tracestate, ',')) {
    member = absl::StripAsciiWhitespace(member);
    if (member.empty()) continue;
    const size_t equals = member.find('=');
    if (equals == absl::string_view::npos || !IsKey(member.substr(0, equals)) ||
        !IsValue(member.substr(equals + 1)) || ++members > kMostMembers) {
      return "";
    }
    const size_t size = clean.size() + (clean.empty() ? 0 : 1) + member.size();
    if (size > kLongestTracestate) break;
    absl::StrAppend(&clean, clean.empty() ? "" : ",", member);
  }
  return clean;
}

}  // namespace

absl::string_view TraceContext::trace_id() const {
  return traceparent.empty() ? "-" : absl::string_view(traceparent).substr(3, 32);
}

TraceContext NewTrace() {
  thread_local absl::BitGen random;
  return {.traceparent = absl::StrFormat("00-%016x%016x-%016x-00", absl::Uniform<uint64_t>(random),
                                         absl::Uniform<uint64_t>(random) | 1,
                                         absl::Uniform<uint64_t>(random) | 1)};
}

TraceContext TraceFrom(absl::string_view traceparent, absl::string_view tracestate) {
  if (!IsTraceparent(traceparent)) return NewTrace();
  return {.traceparent = AsVersion00(traceparent), .tracestate = CleanTracestate(tracestate)};
}

}  // namespace ipp
