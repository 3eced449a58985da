#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/store/store.h"
#include "server/web/router.h"

namespace ipp::console {

struct ConsoleOptions {
  std::vector<std::string> merchants;  // all that are configured
  absl::Duration overdue;              // reconcile.overdue
};

// The routes of the page for people: GET /console, /console/session, /console/day and
// /console/subscription. They read from the store and change nothing. What they show: ids,
// references, amounts, times, names of callers; no secret is in the store's records but in
// enrollments, which are not shown. `store` must outlive the listener that uses them.
std::vector<web::Router::Route> Routes(store::Store* store, ConsoleOptions options);

}  // namespace ipp::console
