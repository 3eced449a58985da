#pragma once

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/app_files.h"
#include "server/base/metrics.h"
#include "server/base/tracer.h"
#include "server/config/config.pb.h"

namespace ipp {

// FAILED_PRECONDITION if the configuration asks for spans and this build cannot export any. The
// message is for the operator.
absl::Status CheckTracing(const config::Config& config);

// The tracer that the configuration asks for; null if it asks for none. `metrics` and `files` must
// outlive it.
absl::StatusOr<std::unique_ptr<Tracer>> OpenTracer(const config::Config& config,
                                                   const AppFiles& files, Metrics* metrics);

}  // namespace ipp
