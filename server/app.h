#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/config/config.pb.h"

namespace ipp {

// The whole gateway: builds every part in order, connects them, and destroys them in order.
// Contains no logic of its own and no process state (signals, flags), so that both main and the
// tests can run it.
class App {
 public:
  virtual ~App() = default;

  // Options that are not part of the configuration.
  struct Options {
    // How often the files that the configuration names are looked at; for tests.
    absl::Duration files_refresh = absl::Seconds(10);
    // The store was restored from a backup; see --help.
    bool restored = false;
  };

  // Listens on all three ports when it returns. The error's message is one line for the operator.
  static absl::StatusOr<std::unique_ptr<App>> Start(const config::Config& config,
                                                    const Options& options);
  static absl::StatusOr<std::unique_ptr<App>> Start(const config::Config& config) {
    return Start(config, Options());
  }

  // Every check that Start makes before it opens a port or the store: routes, and every file that
  // the configuration names (AppFiles). The error has a line for each problem. Adds to `warnings`
  // what works today and needs a person soon; Start writes those to the log.
  static absl::Status Check(const config::Config& config, std::vector<std::string>* warnings);

  virtual int grpc_port() const = 0;
  virtual int webhook_port() const = 0;
  virtual int admin_port() const = 0;

  // Looks at every file that the configuration names again, now. Logs each one that cannot be used;
  // what was read from it before stays in use. gRPC takes a new certificate within a second. May be
  // called at any time from one thread.
  virtual void RereadFiles() = 0;

  // Makes the gateway not ready, sends streams a goodbye, and lets calls in progress finish within
  // drain_timeout. Call it once, then destroy the App, which also exports the last spans (bounded:
  // tracing/otlp_tracer.h).
  virtual void Drain() = 0;
};

}  // namespace ipp
