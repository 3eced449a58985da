#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/metrics.h"
#include "server/base/tracer.h"

namespace ipp::tracing {

struct OtlpOptions {
  std::string endpoint;  // the base URL; the spans go to endpoint/v1/traces
  std::string ca_file;   // PEM; empty: the system's authorities
  // Spans that have ended and are not exported yet; more are dropped.
  size_t max_queued = 2048;
  absl::Duration interval = absl::Seconds(5);  // between two exports
  std::string version;                         // of the gateway
};

// OK if this build can export spans. Otherwise FAILED_PRECONDITION, for the operator.
absl::Status CheckBuilt();

// A tracer whose spans go to a collector by OTLP over HTTP (protobuf):
// https://opentelemetry.io/docs/specs/otlp/#otlphttp. Fails if this build has none (CheckBuilt).
// Nothing is sent before a span has ended, so a collector that cannot be reached is no error here.
//
// A span that has ended is put into a queue without a lock; a thread exports what is there each
// `interval`, or sooner if the queue is half full. An export is not tried again: what a collector
// does not take within a few seconds is lost, and so is what finds the queue full. The destructor
// exports what is left; it takes at most kFlushLimit + kExportLimit, about five seconds, whatever
// the collector does. Every span must have ended before.
//
// Threads: one that exports and, while it does, one of the library's for libcurl. They inherit the
// signal mask and the scheduling class of the thread that calls this. There is no fork handler: a
// child process of the gateway (it has none) must not use the tracer. The library's own log goes
// into the gateway's, at most a few lines a minute. Of the environment the library reads
// OTEL_RESOURCE_ATTRIBUTES (what is said about this process), and libcurl the proxies
// (https_proxy); the OTEL_EXPORTER_… and OTEL_BSP_… variables are ignored.
//
// Metric: ipp_spans_total{result}: exported; failed (the collector did not take them); dropped (the
// queue was full).
absl::StatusOr<std::unique_ptr<Tracer>> NewOtlpTracer(const OtlpOptions& options, Metrics* metrics);

// How long the destructor waits for the queue to be exported, and how long one export may take.
inline constexpr absl::Duration kFlushLimit = absl::Seconds(2);
inline constexpr absl::Duration kExportLimit = absl::Seconds(3);

}  // namespace ipp::tracing
