#pragma once

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/config/config.pb.h"

namespace ipp {

// The whole gateway: builds every part in order, connects them, takes them down in order. No logic
// of its own, and no process state (signals, flags): main and the tests both run it.
class App {
 public:
  virtual ~App() = default;

  // What is no configuration.
  struct Options {
    absl::Duration certificate_refresh = absl::Seconds(30);  // for tests
    // The store was restored from a backup: see --help.
    bool restored = false;
  };

  // Listens on all three ports when it returns. The error's message is one line for whoever starts
  // the process.
  static absl::StatusOr<std::unique_ptr<App>> Start(const config::Config& config,
                                                    const Options& options);
  static absl::StatusOr<std::unique_ptr<App>> Start(const config::Config& config) {
    return Start(config, Options());
  }

  // Everything that Start looks at before it opens a port or the store: routes, key files,
  // certificates, callers.
  static absl::Status Check(const config::Config& config);

  virtual int grpc_port() const = 0;
  virtual int webhook_port() const = 0;
  virtual int admin_port() const = 0;

  // Not ready any more, streams get their goodbye, what is under way finishes within drain_timeout.
  // Once; then destroy it.
  virtual void Drain() = 0;
};

}  // namespace ipp
