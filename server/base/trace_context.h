#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace ipp {

// The place of a call in a distributed trace: W3C Trace Context, Recommendation of 23 November 2021
// (https://www.w3.org/TR/trace-context-1/), as its two headers.
//
// Forwarded as it was received, except where the gateway records a span (base/tracer.h): then under
// that span's id. Any other parent id of its own would name a span that does not exist.
struct TraceContext {
  // "00-<trace id>-<parent id>-<flags>"; empty: no trace.
  std::string traceparent = {};
  // Entries of the tracing systems that the call has passed; often empty.
  std::string tracestate = {};

  // 32 hexadecimal digits; "-" if there is no trace, as in the logs. Valid as long as this object.
  absl::string_view trace_id() const;

  bool operator==(const TraceContext&) const = default;
};

// A new trace, not sampled. Thread-safe.
TraceContext NewTrace();

// The context that a caller sent, made safe to forward; a new trace if `traceparent` is absent or
// malformed (`tracestate` has no meaning then). A version newer than 00 is reduced to the fields of
// version 00. A malformed `tracestate` is dropped; one longer than 512 characters loses its last
// entries. The result contains no line breaks or other control characters.
TraceContext TraceFrom(absl::string_view traceparent, absl::string_view tracestate);

}  // namespace ipp
