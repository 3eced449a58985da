#pragma once

#include <memory>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/base/log_rate_limiter.h"
#include "server/creates/create_flow.h"
#include "server/rpc/backends.h"
#include "server/rpc/identity.h"
#include "server/rpc/method_table.h"
#include "server/rpc/validate.h"

namespace ipp::rpc {

// The context that every service implementation uses.
struct ServiceContext {
  explicit ServiceContext(const Backends& g)
      : backends(g), methods(*g.routes, g.metrics), strangers(new LogRateLimiter(10, 50)) {}

  // Whether a request from an unauthenticated client may write an audit line. Rate-limited, so that
  // strangers cannot fill the disk.
  bool MayLogStranger() const {
    const auto left_out = strangers->Take();
    if (left_out && *left_out > 0) {
      LogWarning("audit lines of unauthenticated requests were left out",
                 {{"count", absl::StrCat(*left_out)}});
    }
    return left_out.has_value();
  }

  const Backends backends;
  const MethodTable methods;
  const std::unique_ptr<LogRateLimiter> strangers;

  creates::CreateTools create_tools() const {
    return {.ledger = backends.ledger,
            .restore_hold = backends.restore_hold,
            .store = backends.store,
            .clock = backends.clock,
            .scheduler = backends.scheduler,
            .send_for = backends.options.create_send_for};
  }
};

}  // namespace ipp::rpc
