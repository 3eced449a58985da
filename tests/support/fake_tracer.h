#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/base/mutex.h"
#include "server/base/tracer.h"

namespace ipp {

// A tracer that keeps the spans which have ended, in the order of their ends. The first span that
// it starts has the id 0000000000000001, and so on. Thread-safe.
class FakeTracer final : public Tracer {
 public:
  struct Ended {
    std::string name;
    SpanKind kind = SpanKind::kInternal;
    std::string parent;  // its traceparent
    std::string traceparent;
    absl::Duration ago;
    bool linked = false;
    std::string failed;  // the type; empty: it did not fail
    std::map<std::string, std::string> attributes = {};
  };

  std::unique_ptr<Span> Start(const SpanStart& start) override;

  std::vector<Ended> ended() {
    MutexLock lock(&mutex_);
    return ended_;
  }
  // Spans that have begun and not ended.
  int open() {
    MutexLock lock(&mutex_);
    return started_ - static_cast<int>(ended_.size());
  }

 private:
  class FakeSpan;

  Mutex mutex_;
  int started_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<Ended> ended_ ABSL_GUARDED_BY(mutex_);
};

class FakeTracer::FakeSpan final : public Span {
 public:
  FakeSpan(FakeTracer* tracer, const SpanStart& start, int number) : tracer_(tracer) {
    context_ = start.parent;
    context_.traceparent.replace(36, 16, absl::StrFormat("%016x", number));
    span_.name = std::string(start.name);
    span_.kind = start.kind;
    span_.parent = start.parent.traceparent;
    span_.traceparent = context_.traceparent;
    span_.ago = start.ago;
    span_.linked = start.linked;
  }
  ~FakeSpan() override {
    MutexLock lock(&tracer_->mutex_);
    tracer_->ended_.push_back(span_);
  }

  const TraceContext& context() const override { return context_; }
  void Set(absl::string_view key, absl::string_view value) override {
    span_.attributes[std::string(key)] = std::string(value);
  }
  void Set(absl::string_view key, int64_t value) override {
    span_.attributes[std::string(key)] = absl::StrCat(value);
  }
  void Fail(absl::string_view type) override { span_.failed = std::string(type); }

 private:
  FakeTracer* const tracer_;
  TraceContext context_;
  Ended span_;
};

inline std::unique_ptr<Span> FakeTracer::Start(const SpanStart& start) {
  MutexLock lock(&mutex_);
  return std::make_unique<FakeSpan>(this, start, ++started_);
}

}  // namespace ipp
