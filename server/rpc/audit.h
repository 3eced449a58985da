#pragma once

#include <grpcpp/support/server_callback.h>

#include <string>

#include "absl/strings/string_view.h"
#include "server/rpc/service_context.h"

namespace ipp::rpc {

// One line of the audit: who asked for what, from where, and what came of it. An empty text is
// written as "-". No member holds a secret.
struct AuditLine {
  std::string caller = {};
  std::string rpc = {};
  std::string merchant = {};
  std::string request_id = {};
  std::string subject = {};  // the id of the resource that the request names
  std::string created = {};  // the id of the resource that the call made
  std::string outcome = {};
  std::string code = {};
  std::string reason = {};
  std::string trace_id = {};
};

// Adds the address of the peer and the names in its client certificate, and writes the line.
// `context` must be the call's, which has not finished. Thread-safe.
void WriteAudit(const ServiceContext& service, const grpc::CallbackServerContext& context,
                const AuditLine& line);

// gRPC's name of a peer as an address: "ipv4:10.0.0.1:5000" is "10.0.0.1:5000", and
// "ipv6:%5B::1%5D:5000" is "[::1]:5000". Any other name is returned unchanged.
std::string PeerAddress(absl::string_view peer);

// The id of the resource in the response of a create; empty if there is none.
template <typename Response>
std::string CreatedIdOf(const Response& response) {
  if constexpr (requires { response.session().session_id(); }) {
    return response.session().session_id();
  } else if constexpr (requires { response.device().id(); }) {
    return response.device().id();
  } else {
    return response.enrollment().enrollment_id();
  }
}

}  // namespace ipp::rpc
