#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/faults/creates/record.h"
#include "tests/faults/http_connection.h"
#include "tests/faults/simulator_process.h"

namespace ipp::faults {

// The simulator as the rounds need it: its rules and its truth. One thread.
class UpstreamTruth {
 public:
  explicit UpstreamTruth(const SimulatorProcess& simulator)
      : merchant_(simulator.merchants().front()),
        control_(simulator.control_port()),
        api_port_(simulator.port()) {}

  // Rules as of PUT /_sim/faults.
  absl::Status SetRules(const std::string& rules);
  absl::Status ClearRules();
  // How answers and webhooks are worded from now on.
  absl::Status SetDialect(const std::string& name);
  // Whether there are rules, and each has struck.
  absl::StatusOr<bool> AllStruck();
  absl::Status SetReceivers(const std::vector<std::string>& urls);
  // The connections of the API: the next request comes on a new one.
  absl::Status CloseConnections();

  absl::StatusOr<TruthOfCreate> Of(const std::string& reference);
  // Whether the connection carried a request before that one.
  absl::StatusOr<bool> WasUsedBefore(const ReadRequest& read);
  // References with more than one session.
  absl::StatusOr<std::vector<std::string>> Doubled();

  // The clerk chooses how to pay; a card pays.
  absl::Status Activate(const std::string& session_id);
  absl::Status Pay(const std::string& session_id);

 private:
  absl::StatusOr<std::string> Control(const std::string& method, const std::string& target,
                                      const std::string& body = "");

  const MerchantKey merchant_;
  HttpConnection control_;
  const int api_port_;
  std::map<int, int64_t> first_use_;  // of each connection, the number of its first request
  int64_t seen_ = 0;                  // requests that first_use_ knows
};

}  // namespace ipp::faults
