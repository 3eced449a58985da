// Of a build without opentelemetry-cpp.
#include "server/tracing/otlp_tracer.h"

namespace ipp::tracing {

absl::Status CheckBuilt() {
  return absl::FailedPreconditionError(
      "tracing.otlp_endpoint: this ipp-gateway was built without opentelemetry-cpp and cannot "
      "export spans; leave the key out, or use a build with IPP_OTEL=ON (the image has it)");
}

absl::StatusOr<std::unique_ptr<Tracer>> NewOtlpTracer(const OtlpOptions& /*options*/,
                                                      Metrics* /*metrics*/) {
  return CheckBuilt();
}

}  // namespace ipp::tracing
