#include "server/config/descriptors.h"

#include <algorithm>

namespace ipp::config {
namespace {

// The standard streams, listening sockets, event loops of some threads, the store's files or its
// connections, and files that are read again. Measured: 45 at rest with SQLite on two cores.
constexpr int64_t kOwnFiles = 100;
// An HTTP port answers 503 on so many connections beyond its limit (web/web_listener.cc).
constexpr int64_t kTurnedAway = 64;
// grpc_port/connection_gate.h: each connection and its duplicate.
constexpr int64_t kGrpcEach = 2;
// An HTTP/2 connection that finishes has a successor, and may have two (http/http2_transport.h).
constexpr int64_t kHttp2Each = 3;

}  // namespace

std::vector<DescriptorUse> DescriptorUses(const Config& config) {
  const Upstream& upstream = config.upstream();
  const int64_t upstream_connections = int64_t{upstream.connections()} * upstream.loops();
  std::vector<DescriptorUse> uses = {
      {"connections.max", kGrpcEach * config.connections().max()},
      {"webhooks.max_connections", config.webhooks().max_connections() + kTurnedAway},
      {"admin.max_connections", config.admin().max_connections() + kTurnedAway},
      {"upstream.connections",
       (upstream.transport() == "http2" ? kHttp2Each : 1) * upstream_connections},
      {"", kOwnFiles}};
  std::stable_sort(uses.begin(), uses.end(),
                   [](const DescriptorUse& a, const DescriptorUse& b) { return a.most > b.most; });
  return uses;
}

}  // namespace ipp::config
