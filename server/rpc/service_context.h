#pragma once

#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
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
      : backends(g),
        methods(*g.routes, g.metrics),
        strangers(new LogRateLimiter(10, 50)),
        denied_reads(new LogRateLimiter(10, 50)) {}

  // Whether a request from an unauthenticated client may write an audit line. Rate-limited, so that
  // strangers cannot fill the disk.
  bool MayLogStranger() const {
    return MayLog(*strangers, "audit lines of unauthenticated requests were left out");
  }

  // Whether a read that its caller may not do may write an audit line. Rate-limited for itself, so
  // that a flood of strangers does not hide what a caller tries.
  bool MayLogDeniedRead() const {
    return MayLog(*denied_reads, "audit lines of reads without permission were left out");
  }

  const Backends backends;
  const MethodTable methods;
  const std::unique_ptr<LogRateLimiter> strangers;
  const std::unique_ptr<LogRateLimiter> denied_reads;

  creates::CreateTools create_tools() const {
    return {.ledger = backends.ledger,
            .restore_hold = backends.restore_hold,
            .store = backends.store,
            .clock = backends.clock,
            .scheduler = backends.scheduler,
            .send_for = backends.options.create_send_for,
            .tracer = backends.tracer};
  }

 private:
  static bool MayLog(LogRateLimiter& limiter, absl::string_view were_left_out) {
    const auto left_out = limiter.Take();
    if (left_out && *left_out > 0) LogWarning(were_left_out, {{"count", absl::StrCat(*left_out)}});
    return left_out.has_value();
  }
};

}  // namespace ipp::rpc
