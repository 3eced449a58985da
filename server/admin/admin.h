#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/base/metrics.h"

namespace ipp::admin {

struct Page {
  int code = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

// The operator's pages: / (lists the others), /livez, /readyz, /metrics, /configz. Does not depend
// on an HTTP library. Thread-safe.
class AdminPages {
 public:
  struct Check {
    std::string name;
    std::function<absl::Status()> ready;  // must be quick and not do I/O
    // A remark to print while the check passes, or empty. Also called before /metrics is written,
    // to update gauges that change as time passes.
    std::function<std::string()> note = nullptr;
  };

  // `config_text`: the configuration in force as YAML, secrets masked.
  // `before_metrics` is called before /metrics is written. `exemplars`: the histograms have some,
  // so /metrics is in the OpenMetrics format for a reader that accepts it. It is not otherwise: the
  // bounds of buckets are written differently there, 1.0 for 1.
  AdminPages(Metrics* metrics, std::vector<Check> checks, std::function<std::string()> config_text,
             std::function<void()> before_metrics = nullptr, bool exemplars = false);

  // The paths of all pages.
  static std::vector<std::string> Paths();

  // 404 for an unknown path. /readyz is 200 if every check passes, else 503; it lists each check on
  // a line of its own ("store: ok"), with its note. `accept`: the request's header.
  Page Get(absl::string_view path, absl::string_view accept = "") const;

 private:
  Metrics* metrics_;
  std::vector<Check> checks_;
  std::function<std::string()> config_text_;
  std::function<void()> before_metrics_;
  bool exemplars_;
};

}  // namespace ipp::admin
