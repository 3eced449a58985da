#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/app_secrets.h"
#include "server/base/clock.h"
#include "server/base/metrics.h"
#include "server/config/config.pb.h"

namespace ipp {

// Every file that the configuration names, opened, parsed and judged: at the start, for
// --check-config, and again and again while the gateway runs. A file that changes into something
// that cannot be used never takes effect: what was read before stays in use, the log has one line
// for the change, and the metric ipp_secret_file_refused counts the file.
//
// Metrics: ipp_secret_file_refused by kind; ipp_tls_certificate_expiry_seconds and
// ipp_tls_certificate_begin_seconds (seconds since 1970) by certificate: grpc, client_ca,
// upstream_ca, tracing_ca, postgres_ca, postgres_client; of those that are configured.
class AppFiles {
 public:
  virtual ~AppFiles() = default;

  // FAILED_PRECONDITION with a line for each file that cannot be used: its key, its path and the
  // reason, never the content. Adds to `warnings` what works today and needs a person soon.
  // `clock` and `metrics` must outlive this.
  static absl::StatusOr<std::unique_ptr<AppFiles>> Open(const config::Config& config,
                                                        const std::vector<std::string>& permissions,
                                                        Clock* clock, Metrics* metrics,
                                                        std::vector<std::string>* warnings);

  virtual const Secrets& secrets() const = 0;

  // Paths for libraries that read a file whenever they like; what they find there has always been
  // checked. Empty if the configuration names none. Valid while this lives.
  virtual std::string identity_file() const = 0;  // of the gRPC port: the chain and the key
  virtual std::string client_ca_file() const = 0;
  virtual std::string upstream_ca_file() const = 0;
  virtual std::string tracing_ca_file() const = 0;

  // Looks at every file now. Returns how many cannot be used; files that are used together count
  // once. Thread-safe.
  virtual int LookAgain() = 0;
  // Looks at every file each `interval`, on a thread of its own, until this is destroyed. Call it
  // once.
  virtual void Watch(absl::Duration interval) = 0;
};

}  // namespace ipp
