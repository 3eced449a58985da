#pragma once

#include <memory>

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
    // The store was restored from a backup; see --help.
    bool restored = false;
  };

  // Listens on all three ports when it returns. The error's message is one line for the operator.
  static absl::StatusOr<std::unique_ptr<App>> Start(const config::Config& config,
                                                    const Options& options);
  static absl::StatusOr<std::unique_ptr<App>> Start(const config::Config& config) {
    return Start(config, Options());
  }

  // Every check that Start makes before it opens a port or the store: routes, key files,
  // certificates, callers.
  static absl::Status Check(const config::Config& config);

  virtual int grpc_port() const = 0;
  virtual int webhook_port() const = 0;
  virtual int admin_port() const = 0;

  // Reads the secrets, keys and caller tokens again, and checks the certificates of the gRPC port
  // (which gRPC reads again by itself, each second). Logs each file that cannot be used; its old
  // content stays in use. May be called at any time from one thread.
  virtual void RereadFiles() = 0;

  // Makes the gateway not ready, sends streams a goodbye, and lets calls in progress finish within
  // drain_timeout. Call it once, then destroy the App.
  virtual void Drain() = 0;
};

}  // namespace ipp
