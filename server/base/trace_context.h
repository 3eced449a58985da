#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace ipp {

// Where a call stands in a distributed trace: W3C Trace Context, Recommendation of 23 November 2021
// (https://www.w3.org/TR/trace-context-1/), as its two headers say it.
//
// The gateway records no spans of its own, so it hands on what it got: a parent id that it made
// would name a span that nobody has.
struct TraceContext {
  // "00-<trace id>-<parent id>-<flags>"; empty: no trace.
  std::string traceparent = {};
  // What the vendors on the way left there; often empty.
  std::string tracestate = {};

  // 32 hexadecimal digits; "-" without a trace, as logs have it. Of this object's life.
  absl::string_view trace_id() const;

  bool operator==(const TraceContext&) const = default;
};

// A trace that begins here, not sampled. Thread-safe.
TraceContext NewTrace();

// What a caller sent, made fit to be sent on; a new trace when `traceparent` is absent or malformed
// (`tracestate` means nothing then). Of a version that is newer than 00 the part that 00 knows is
// kept. A malformed `tracestate` is left out, of one that is longer than 512 characters the end.
// Neither can hold a line break or any other control character afterwards.
TraceContext TraceFrom(absl::string_view traceparent, absl::string_view tracestate);

}  // namespace ipp
