#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace google::rpc {
class Status;
}

// Rich errors: an absl::Status that carries google.rpc.ErrorInfo, BadRequest and RetryInfo as
// payloads.
namespace ipp {

// Value of ErrorInfo.domain in every error that the gateway makes.
inline constexpr char kErrorDomain[] = "ipp.kustom.co";

// Whether an upstream call was executed, in ErrorInfo.metadata["outcome"].
enum class Outcome {
  kNotSent,   // No byte of it left the gateway: sending it (again) is safe.
  kRejected,  // The upstream refused it (4xx): it was not executed.
  kExecuted,  // The upstream executed it.
  kUnknown,   // It may or may not have been executed.
};
absl::string_view OutcomeName(Outcome outcome);  // "NOT_SENT", …
inline constexpr char kOutcomeKey[] = "outcome";

struct FieldViolation {
  std::string field;        // path as in the proto: "order_items[2].total_amount"
  std::string description;  // for a person; never holds a secret
  bool operator==(const FieldViolation&) const = default;
};

struct ErrorDetail {
  std::string reason;  // UPPER_SNAKE_CASE, stable: programs compare with it
  std::map<std::string, std::string> metadata = {};
  std::vector<FieldViolation> violations = {};
  std::optional<absl::Duration> retry_after = {};
};

absl::Status MakeError(absl::StatusCode code, absl::string_view message, const ErrorDetail& detail);

// INVALID_ARGUMENT / INVALID_REQUEST with one BadRequest violation per row. `violations` must not
// be empty.
absl::Status InvalidRequest(std::vector<FieldViolation> violations);

// The detail that was given to MakeError. The reason is empty if `status` carries no ErrorInfo.
ErrorDetail GetErrorDetail(const absl::Status& status);

// What a gRPC caller gets: the same as the payloads of MakeError, in a google.rpc.Status.
google::rpc::Status PackError(absl::StatusCode code, absl::string_view message,
                              const ErrorDetail& detail);

// A copy of the status with `metadata` added. A key that the status already has keeps its value.
absl::Status WithMetadata(const absl::Status& status,
                          const std::map<std::string, std::string>& metadata);

// A copy of the status whose outcome is `outcome`, in place of any outcome that it had.
absl::Status WithOutcome(const absl::Status& status, Outcome outcome);
// SerializeError returns the status with its payloads as a serialized google.rpc.Status; ParseError
// reads it back.
std::string SerializeError(const absl::Status& status);
// INTERNAL / INTERNAL if `bytes` are not a google.rpc.Status.
absl::Status ParseError(const std::string& bytes);

}  // namespace ipp
