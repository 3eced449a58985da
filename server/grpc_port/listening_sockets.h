#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace ipp::grpc_port {

struct ListeningSockets {
  std::vector<int> fds;  // the caller's to close
  int port = 0;
};

// One for each address that the host has; 0.0.0.0 and [::] are every address of either kind. None
// blocks; what they accept sends without delay and gives up what stays unacknowledged for so long.
// A second gateway on the same port is an error, not a way to share it. UNAVAILABLE with the
// address and the system's reason.
absl::StatusOr<ListeningSockets> ListenOn(const std::string& address,
                                          absl::Duration unacknowledged);

}  // namespace ipp::grpc_port
