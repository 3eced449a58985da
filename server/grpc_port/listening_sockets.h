#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace ipp::grpc_port {

struct ListeningSockets {
  std::vector<int> fds;  // the caller must close them
  int port = 0;
};

// Opens one socket for each address of the host; 0.0.0.0 and [::] mean every address of either
// family. The sockets are non-blocking. The connections that they accept send without delay
// (TCP_NODELAY) and fail if sent data stays unacknowledged for `unacknowledged`. A second gateway
// on the same port is an error; the port is not shared. UNAVAILABLE with the address and the
// system's reason.
absl::StatusOr<ListeningSockets> ListenOn(const std::string& address,
                                          absl::Duration unacknowledged);

}  // namespace ipp::grpc_port
