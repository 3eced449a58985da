#pragma once

#include <grpcpp/support/status.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/base/error.h"

namespace ipp::client {

// What an error of the gateway says, taken out of google.rpc.Status. Fields that the error does not
// carry are empty; an error that gRPC made itself (no connection, deadline) carries only the first
// two.
struct Error {
  grpc::StatusCode code = grpc::StatusCode::OK;
  std::string message;  // for a person

  std::string reason;  // stable, for programs: "OUTCOME_UNKNOWN"
  std::optional<Outcome> outcome;
  std::optional<bool> retry_safe;
  std::optional<int> http_status;  // what the upstream answered
  std::string request_id;          // of the create
  std::vector<FieldViolation> violations;
  std::optional<absl::Duration> retry_delay;    // wait at least this long
  std::map<std::string, std::string> metadata;  // all of ErrorInfo's, also what is above
};

Error DecodeError(const grpc::Status& status);

// "INVALID_ARGUMENT"; "CODE_17" for a number that gRPC does not define.
std::string CodeName(grpc::StatusCode code);

}  // namespace ipp::client
