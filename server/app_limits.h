#pragma once

#include "server/base/metrics.h"
#include "server/config/config.pb.h"

namespace ipp {

// Exports the configured limits to which other metrics relate: ipp_connections_limit{port},
// ipp_upstream_in_flight_limit, ipp_events_subscribers_limit.
void ExportLimits(const config::Config& config, Metrics* metrics);

// Logs a warning if the process may open fewer descriptors than the configured connections may
// need. It names the key that needs most, and how high the limit should be. The gateway starts all
// the same, since it may never have so many connections.
void WarnOfTooFewDescriptors(const config::Config& config);

}  // namespace ipp
