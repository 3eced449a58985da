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

// The operator's pages: / (lists them), /livez, /readyz, /metrics, /configz. Knows no HTTP library.
// Thread-safe.
class AdminPages {
 public:
  struct Check {
    std::string name;
    std::function<absl::Status()> ready;  // quick, from memory
    // What there is to say while it is ready, if anything. Also called before /metrics is written,
    // for gauges that change because time passes.
    std::function<std::string()> note = nullptr;
  };

  // `config_text`: the configuration in force as YAML, secrets masked.
  AdminPages(Metrics* metrics, std::vector<Check> checks, std::function<std::string()> config_text);

  // Every page's path.
  static std::vector<std::string> Paths();

  // 404 for other paths. /readyz is 200 when every check passes, else 503, and lists each check on
  // a line ("store: ok"), with its note.
  Page Get(absl::string_view path) const;

 private:
  Metrics* metrics_;
  std::vector<Check> checks_;
  std::function<std::string()> config_text_;
};

}  // namespace ipp::admin
