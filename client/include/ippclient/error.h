#pragma once

#include <grpcpp/support/status.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace ipp::client {

// What became of a call.
enum class Outcome {
  kNotSent,   // No byte of it left the gateway.
  kRejected,  // Kustom refused it: nothing was done.
  kExecuted,  // It was done.
  kUnknown,   // It may or may not have been done.
};
absl::string_view OutcomeName(Outcome outcome);  // "NOT_SENT", …

struct FieldViolation {
  std::string field;        // path as in the proto: "order_items[2].total_amount"
  std::string description;  // for a person
  bool operator==(const FieldViolation&) const = default;
};

// What an error of the gateway says, taken out of google.rpc.Status. Fields that the error does not
// carry are empty; an error that gRPC made itself (no connection, deadline) carries only the first
// two.
struct Error {
  grpc::StatusCode code = grpc::StatusCode::OK;
  std::string message;  // for a person

  std::string reason;  // stable, for programs: "OUTCOME_UNKNOWN"
  // What became of the call; of a create, of all that was sent under its request_id. Absent when the
  // gateway refused the call before it looked: then nothing is known of an earlier one.
  std::optional<Outcome> outcome;
  // What became of an earlier create with the same request_id, where the error is about another
  // request.
  std::optional<Outcome> earlier_outcome;
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
