#pragma once

#include <opentelemetry/sdk/trace/exporter.h>
#include <opentelemetry/sdk/trace/processor.h>

#include <atomic>
#include <cstddef>
#include <memory>

#include "server/base/metrics.h"

namespace ipp::tracing {

// What the queue's two ends share. Thread-safe.
struct ExportState {
  ExportState(size_t most, Metrics* metrics);

  const size_t max_queued;
  Counter& exported;
  Counter& failed;
  Counter& dropped;
  std::atomic<size_t> queued = 0;     // ended, and not handed to the exporter
  std::atomic<bool> closing = false;  // nothing is exported any more: what is left has failed
};

// The library's log has an error, on this thread. The exporter of opentelemetry-cpp 1.19 answers
// "success" whatever became of a batch, and says otherwise in this way only, before it returns.
void NoteErrorOfThisThread();

// Wraps the exporter: counts what became of each batch.
std::unique_ptr<opentelemetry::sdk::trace::SpanExporter> Counted(
    std::unique_ptr<opentelemetry::sdk::trace::SpanExporter> exporter,
    std::shared_ptr<ExportState> state);

// Wraps the processor that has the queue: drops and counts what finds it full. The processor would
// drop it too, but tells only its log.
std::unique_ptr<opentelemetry::sdk::trace::SpanProcessor> Bounded(
    std::unique_ptr<opentelemetry::sdk::trace::SpanProcessor> processor,
    std::shared_ptr<ExportState> state);

}  // namespace ipp::tracing
