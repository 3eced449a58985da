#include "tests/base/trace_context_check.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "server/base/trace_context.h"
#include "tests/support/require.h"

namespace ipp {
namespace {

constexpr char kShape[] = "00-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx";

bool IsLowerHex(char c) { return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f'); }

void CheckTraceparent(absl::string_view text) {
  const absl::string_view shape = kShape;
  Require(text.size() == shape.size(), "another length", text);
  for (size_t i = 0; i < shape.size(); ++i) {
    Require(shape[i] == 'x' ? IsLowerHex(text[i]) : text[i] == shape[i], "no traceparent", text);
  }
  Require(text.substr(3, 32) != std::string(32, '0'), "no trace id", text);
  Require(text.substr(36, 16) != std::string(16, '0'), "no parent id", text);
}

void CheckTracestate(absl::string_view text) {
  Require(text.size() <= 512, "too long", text);
  if (text.empty()) return;
  const std::vector<absl::string_view> members = absl::StrSplit(text, ',');
  Require(members.size() <= 32, "too many members", text);
  for (const absl::string_view member : members) {
    Require(std::count(member.begin(), member.end(), '=') == 1 && member.front() != '=' &&
                member.back() != '=' && member.front() != ' ' && member.back() != ' ' &&
                std::all_of(member.begin(), member.end(), absl::ascii_isprint),
            "no key=value", text);
  }
}

}  // namespace

void CheckTraceContext(absl::string_view bytes) {
  const size_t end = std::min(bytes.find('\n'), bytes.size());
  const absl::string_view traceparent = bytes.substr(0, end);
  const absl::string_view tracestate = bytes.substr(std::min(end + 1, bytes.size()));
  const TraceContext trace = TraceFrom(traceparent, tracestate);
  CheckTraceparent(trace.traceparent);
  CheckTracestate(trace.tracestate);
  Require(TraceFrom(trace.traceparent, trace.tracestate) == trace, "another when sent again",
          trace.tracestate);
  const bool taken =
      traceparent.size() >= trace.traceparent.size() &&
      traceparent.substr(2, 50) == absl::string_view(trace.traceparent).substr(2, 50);
  Require(taken || trace.tracestate.empty(), "a new trace with an old tracestate", traceparent);
}

}  // namespace ipp
