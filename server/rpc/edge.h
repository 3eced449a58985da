#pragma once

#include <memory>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/base/log_allowance.h"
#include "server/rpc/gateway.h"
#include "server/rpc/identity.h"
#include "server/rpc/method_table.h"
#include "server/rpc/validate.h"

namespace ipp::rpc {

// What every service implementation holds.
struct Edge {
  explicit Edge(const Gateway& g)
      : gateway(g), methods(*g.routes, g.metrics), strangers(new LogAllowance(10, 50)) {}

  // Whether what somebody asked who is no caller gets its line in the audit: anybody can fill the
  // disk otherwise.
  bool MayLogStranger() const {
    const auto left_out = strangers->Take();
    if (left_out && *left_out > 0) {
      LogWarning("changes that strangers asked for are missing in the audit",
                 {{"count", absl::StrCat(*left_out)}});
    }
    return left_out.has_value();
  }

  const Gateway gateway;
  const MethodTable methods;
  const std::unique_ptr<LogAllowance> strangers;
};

}  // namespace ipp::rpc
