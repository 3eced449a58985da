#pragma once

#include <grpcpp/support/status.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace ipp::client {

// The outcome of a call.
enum class Outcome {
  kNotSent,   // No byte left the gateway.
  kRejected,  // Kustom refused the request: nothing was executed.
  kExecuted,  // Kustom executed the request.
  kUnknown,   // Kustom may or may not have executed it.
};
absl::string_view OutcomeName(Outcome outcome);  // "NOT_SENT", …

struct FieldViolation {
  std::string field;        // path as in the proto: "order_items[2].total_amount"
  std::string description;  // for a person
  bool operator==(const FieldViolation&) const = default;
};

// An error of the gateway, decoded from google.rpc.Status. Fields that the error does not carry are
// empty. An error that gRPC made itself (no connection, deadline) has only the first two.
struct Error {
  grpc::StatusCode code = grpc::StatusCode::OK;
  std::string message;  // for a person

  std::string reason;  // stable, for programs: "OUTCOME_UNKNOWN"
  // The outcome of the call; for a create, of everything that was sent under its request_id. Absent
  // when the gateway refused the call before it read its ledger: then nothing is known of an
  // earlier call.
  std::optional<Outcome> outcome;
  // The outcome of an earlier create with the same request_id, if the error is about another
  // request.
  std::optional<Outcome> earlier_outcome;
  std::optional<bool> retry_safe;
  std::optional<int> http_status;  // of the upstream's answer
  std::string request_id;          // of the create
  std::vector<FieldViolation> violations;
  std::optional<absl::Duration> retry_delay;    // wait at least this long
  std::map<std::string, std::string> metadata;  // all of ErrorInfo's, including the fields above
};

Error DecodeError(const grpc::Status& status);

// "INVALID_ARGUMENT"; "CODE_17" for a number that gRPC does not define.
std::string CodeName(grpc::StatusCode code);

}  // namespace ipp::client
