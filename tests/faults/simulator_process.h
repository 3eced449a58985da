#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/faults/child_process.h"
#include "tests/faults/history.h"
#include "tests/faults/http_connection.h"
#include "tests/faults/work_directory.h"

namespace ipp::faults {

struct MerchantKey {
  std::string id;
  std::string api_key;
  std::string device_id;  // a phone in its shop, made by SimulatorProcess::Start
};

// ipp-simulator: the truth of a run. One start for all rounds.
class SimulatorProcess {
 public:
  // `program` is its path. Two merchants, a device each. `with_tls`: it listens for HTTP/2 as well.
  static absl::StatusOr<std::unique_ptr<SimulatorProcess>> Start(const std::string& program,
                                                                 const WorkDirectory& directory,
                                                                 bool with_tls = false);

  int port() const { return port_; }
  // For /_sim/, where no fault strikes.
  int control_port() const { return control_port_; }
  int tls_port() const { return tls_port_; }
  // The authority that vouches for the listener of tls_port.
  const std::string& ca_file() const { return ca_file_; }
  const std::vector<MerchantKey>& merchants() const { return merchants_; }
  // A file with the secrets that sign its webhooks.
  const std::string& secrets_file() const { return secrets_file_; }
  bool Running() { return process_->Running(); }

 private:
  SimulatorProcess() = default;
  absl::Status MakeDevices();

  std::unique_ptr<ChildProcess> process_;
  std::vector<MerchantKey> merchants_;
  std::string secrets_file_;
  std::string ca_file_;
  int port_ = 0;
  int control_port_ = 0;
  int tls_port_ = 0;
};

// A connection to it, of one thread. Every answer other than the wanted one is an error that names
// the call.
class SimulatorControl {
 public:
  explicit SimulatorControl(int port) : http_(port) {}

  // As somebody else than the gateway does it. The session's id.
  absl::StatusOr<std::string> CreateSession(const MerchantKey& merchant,
                                            const std::string& reference);
  // FAILED_PRECONDITION: the session has ended already.
  absl::Status Tap(const MerchantKey& merchant, const std::string& session_id,
                   const std::string& outcome);
  // `step` is activate, clerk-cancel, expire or fail. FAILED_PRECONDITION: not possible (any more).
  absl::Status Step(const std::string& session_id, const std::string& step);

  absl::Status SetReceivers(const std::vector<std::string>& urls);
  // `faults` is JSON, see simulator/README.md.
  absl::Status SetFaults(const std::string& faults);
  // How answers and webhooks are worded from now on; empty: plainly.
  absl::Status SetDialect(const std::string& name);
  absl::Status Resend(const std::string& event_id);
  // Webhooks that are still on their way.
  absl::StatusOr<int> Undelivered();
  struct Reading {
    Truth truth;
    std::map<std::string, int> strikes;  // faults by their name, since the start
    std::string sessions_page;           // as read, for a person
    std::string webhooks_page;
  };
  absl::StatusOr<Reading> Read();

 private:
  absl::StatusOr<std::string> Call(const std::string& method, const std::string& target,
                                   const std::string& headers = "", const std::string& body = "");

  HttpConnection http_;
};

}  // namespace ipp::faults
