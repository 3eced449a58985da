#include "server/app_limits.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/descriptors.h"
#include "server/base/log.h"
#include "server/config/descriptors.h"

namespace ipp {

void ExportLimits(const config::Config& config, Metrics* metrics) {
  metrics->gauge("ipp_upstream_in_flight_limit", "The upper limit of ipp_upstream_in_flight.")
      .Set(config.upstream().max_in_flight());
  metrics->gauge("ipp_events_subscribers_limit", "The upper limit of ipp_events_subscribers.")
      .Set(config.events().max_subscribers());
  for (const auto& [port, most] : {std::pair{"grpc", config.connections().max()},
                                   {"webhooks", config.webhooks().max_connections()},
                                   {"admin", config.admin().max_connections()}}) {
    metrics->gauge("ipp_connections_limit", "The upper limit of ipp_connections.", {{"port", port}})
        .Set(most);
  }
}

void WarnOfTooFewDescriptors(const config::Config& config) {
  const std::vector<config::DescriptorUse> uses = config::DescriptorUses(config);
  int64_t needed = kHeldBackDescriptors;
  for (const config::DescriptorUse& use : uses) needed += use.most;
  const int64_t limit = DescriptorLimit();
  if (limit >= needed) return;
  LogWarning(
      "the limit of file descriptors (RLIMIT_NOFILE) is too low for what is configured: "
      "raise it, or lower the key",
      {{"limit", absl::StrCat(limit)},
       {"needed", absl::StrCat(needed)},
       {"key", uses.front().key},
       {"key_needs", absl::StrCat(uses.front().most)}});
}

}  // namespace ipp
