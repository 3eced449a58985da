#include "server/app_tracing.h"

#include <utility>

#include "server/config/config.h"
#include "server/tracing/otlp_tracer.h"

namespace ipp {

absl::Status CheckTracing(const config::Config& config) {
  return config.tracing().otlp_endpoint().empty() ? absl::OkStatus() : tracing::CheckBuilt();
}

absl::StatusOr<std::unique_ptr<Tracer>> OpenTracer(const config::Config& config,
                                                   const AppFiles& files, Metrics* metrics) {
  const config::Tracing& tracing = config.tracing();
  if (tracing.otlp_endpoint().empty()) return nullptr;
  tracing::OtlpOptions options;
  options.endpoint = tracing.otlp_endpoint();
  options.ca_file = files.tracing_ca_file();
  options.max_queued = static_cast<size_t>(tracing.max_queued());
  options.interval = config::ToDuration(tracing.export_interval());
  options.version = IPP_VERSION;
  return tracing::NewOtlpTracer(options, metrics);
}

}  // namespace ipp
