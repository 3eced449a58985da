#pragma once

#include "server/rpc/gateway.h"
#include "server/rpc/identity.h"
#include "server/rpc/method_table.h"
#include "server/rpc/validate.h"

namespace ipp::rpc {

// What every service implementation holds.
struct Edge {
  explicit Edge(const Gateway& g) : gateway(g), methods(*g.routes, g.metrics) {}
  const Gateway gateway;
  const MethodTable methods;
};

}  // namespace ipp::rpc
