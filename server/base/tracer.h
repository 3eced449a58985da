#pragma once

#include <cstdint>
#include <memory>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/base/trace_context.h"

// Spans: what the gateway itself adds to a distributed trace. Only these interfaces; what makes and
// exports spans is the module `tracing`. A part that records spans borrows a `Tracer*`, which is
// null where tracing is off, and calls StartSpan, which then costs one branch.
//
// What may be in a span: names from the contract and from the code, codes, counts. Never an id, a
// text from a request or an answer, or a secret: a collector has other readers than the log.
namespace ipp {

enum class SpanKind { kInternal, kServer, kClient, kProducer };

// A piece of work under way. Its destruction ends it and never blocks. Used by one thread at a
// time; may be destroyed on another thread than the one that made it, and must not outlive its
// Tracer.
class Span {
 public:
  virtual ~Span() = default;
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

  // The trace with this span as the parent, to hand on. Valid as long as this object.
  virtual const TraceContext& context() const = 0;

  virtual void Set(absl::string_view key, absl::string_view value) = 0;
  virtual void Set(absl::string_view key, int64_t value) = 0;
  // Marks the work as failed. `type`: a word of a small set, such as a reason.
  virtual void Fail(absl::string_view type) = 0;

 protected:
  Span() = default;
};

struct SpanStart {
  absl::string_view name;
  SpanKind kind = SpanKind::kInternal;
  const TraceContext& parent;
  // How long ago the work began, for a span whose trace was not known then.
  absl::Duration ago = absl::ZeroDuration();
  // Also links the span to its parent: it is not a part of the parent's work but follows from it,
  // maybe minutes later.
  bool linked = false;
};

// Makes spans. Thread-safe.
class Tracer {
 public:
  virtual ~Tracer() = default;
  // Never null and never blocks. Called for a sampled parent only; see StartSpan.
  virtual std::unique_ptr<Span> Start(const SpanStart& start) = 0;
};

// Whether the caller records this trace: the lowest bit of the flags, which are the last two of the
// 55 characters. False if there is no trace.
inline bool IsSampled(const TraceContext& trace) {
  // Among the digits these are the odd characters, among the letters the even ones: 'a' is 10.
  if (trace.traceparent.size() != 55) return false;
  const char last = trace.traceparent.back();
  return (last & 1) == (last <= '9' ? 1 : 0);
}

// Null if tracing is off (`tracer` is null) or the caller does not record this trace.
inline std::unique_ptr<Span> StartSpan(Tracer* tracer, const SpanStart& start) {
  if (tracer == nullptr || !IsSampled(start.parent)) return nullptr;
  return tracer->Start(start);
}

// The context to hand on: of `span`, or of `received` where there is no span.
inline const TraceContext& HandedOn(const std::unique_ptr<Span>& span,
                                    const TraceContext& received) {
  return span == nullptr ? received : span->context();
}

}  // namespace ipp
