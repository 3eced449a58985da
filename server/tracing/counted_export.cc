#include "server/tracing/counted_export.h"

#include <opentelemetry/sdk/trace/recordable.h>

#include <utility>

namespace ipp::tracing {
namespace {

namespace sdk = opentelemetry::sdk::trace;
using opentelemetry::sdk::common::ExportResult;
using Recordable = std::unique_ptr<sdk::Recordable>;
using std::chrono::microseconds;

Counter& Spans(Metrics* metrics, const char* result) {
  return metrics->counter("ipp_spans_total", "Spans that have ended, by what became of them.",
                          {{"result", result}});
}

thread_local bool failed_here = false;

class CountedExporter final : public sdk::SpanExporter {
 public:
  CountedExporter(std::unique_ptr<sdk::SpanExporter> exporter, std::shared_ptr<ExportState> state)
      : exporter_(std::move(exporter)), state_(std::move(state)) {}

  Recordable MakeRecordable() noexcept override { return exporter_->MakeRecordable(); }

  ExportResult Export(const opentelemetry::nostd::span<Recordable>& spans) noexcept override {
    const size_t count = spans.size();
    state_->queued -= count;
    failed_here = false;
    const ExportResult result = state_->closing ? ExportResult::kFailure : exporter_->Export(spans);
    const bool ok = result == ExportResult::kSuccess && !failed_here;
    (ok ? state_->exported : state_->failed).Add(static_cast<double>(count));
    return result;
  }

  bool ForceFlush(microseconds timeout) noexcept override { return exporter_->ForceFlush(timeout); }
  bool Shutdown(microseconds timeout) noexcept override { return exporter_->Shutdown(timeout); }

 private:
  const std::unique_ptr<sdk::SpanExporter> exporter_;
  const std::shared_ptr<ExportState> state_;
};

class BoundedProcessor final : public sdk::SpanProcessor {
 public:
  BoundedProcessor(std::unique_ptr<sdk::SpanProcessor> processor,
                   std::shared_ptr<ExportState> state)
      : processor_(std::move(processor)), state_(std::move(state)) {}

  Recordable MakeRecordable() noexcept override { return processor_->MakeRecordable(); }
  void OnStart(sdk::Recordable& span,
               const opentelemetry::trace::SpanContext& parent) noexcept override {
    processor_->OnStart(span, parent);
  }

  void OnEnd(Recordable&& span) noexcept override {
    if (state_->queued++ >= state_->max_queued) {
      --state_->queued;
      state_->dropped.Add();
      return;
    }
    processor_->OnEnd(std::move(span));
  }

  bool ForceFlush(microseconds timeout) noexcept override {
    return processor_->ForceFlush(timeout);
  }
  bool Shutdown(microseconds timeout) noexcept override { return processor_->Shutdown(timeout); }

 private:
  const std::unique_ptr<sdk::SpanProcessor> processor_;
  const std::shared_ptr<ExportState> state_;
};

}  // namespace

ExportState::ExportState(size_t most, Metrics* metrics)
    : max_queued(most),
      exported(Spans(metrics, "exported")),
      failed(Spans(metrics, "failed")),
      dropped(Spans(metrics, "dropped")) {}

void NoteErrorOfThisThread() { failed_here = true; }

std::unique_ptr<sdk::SpanExporter> Counted(std::unique_ptr<sdk::SpanExporter> exporter,
                                           std::shared_ptr<ExportState> state) {
  return std::make_unique<CountedExporter>(std::move(exporter), std::move(state));
}

std::unique_ptr<sdk::SpanProcessor> Bounded(std::unique_ptr<sdk::SpanProcessor> processor,
                                            std::shared_ptr<ExportState> state) {
  return std::make_unique<BoundedProcessor>(std::move(processor), std::move(state));
}

}  // namespace ipp::tracing
