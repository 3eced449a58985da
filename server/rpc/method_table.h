#pragma once

#include <grpcpp/support/status.h>

#include <array>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "google/protobuf/descriptor.h"
#include "server/base/metrics.h"
#include "server/routes/route_table.h"

namespace ipp::rpc {

// An RPC as the edge sees it: its route and its metrics, under go-grpc-middleware's names.
struct Method {
  const routes::Route* route;
  Counter* started;
  Counter* received;
  Counter* sent;
  Histogram* seconds;
  std::array<Counter*, 17> handled;  // by gRPC code
};

// Immutable. Every RPC has its own request type, so that is the key.
class MethodTable {
 public:
  MethodTable(const routes::RouteTable& routes, Metrics* metrics);

  template <typename Request>
  const Method& Find() const {
    return methods_.at(Request::descriptor());
  }

  // RPCs that have started and not ended.
  int64_t InFlight() const;

 private:
  absl::flat_hash_map<const google::protobuf::Descriptor*, Method> methods_;
};

}  // namespace ipp::rpc
