#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

// Rich errors: an absl::Status that carries google.rpc.ErrorInfo, BadRequest and RetryInfo as
// payloads. The gRPC edge packs them into google.rpc.Status unchanged.
namespace ipp {

// Value of ErrorInfo.domain on everything that the gateway says.
inline constexpr char kErrorDomain[] = "ipp.kustom.co";

// What became of a call upstream, in ErrorInfo.metadata["outcome"].
enum class Outcome {
  kNotSent,   // No byte of it left: sending it (again) is safe.
  kRejected,  // The upstream refused it (4xx): nothing was done.
  kExecuted,  // The upstream did it.
  kUnknown,   // It may or may not have been done.
};
absl::string_view OutcomeName(Outcome outcome);  // "NOT_SENT", …

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

// INVALID_ARGUMENT / INVALID_REQUEST with one BadRequest violation a row. `violations` is not
// empty.
absl::Status InvalidRequest(std::vector<FieldViolation> violations);

// What MakeError put in; an empty reason when `status` carries no ErrorInfo.
ErrorDetail GetErrorDetail(const absl::Status& status);

// The status with more in it: metadata added (existing keys win).
absl::Status WithMetadata(const absl::Status& status,
                          const std::map<std::string, std::string>& metadata);

// The status with another outcome in its metadata, in place of the one that it may have.
absl::Status WithOutcome(const absl::Status& status, Outcome outcome);
// The status without an outcome: of what it is about, no attempt is known to the speaker.
absl::Status WithoutOutcome(const absl::Status& status);

// The status with all that it carries as a serialized google.rpc.Status, and back.
std::string SerializeError(const absl::Status& status);
// INTERNAL / INTERNAL when `bytes` are none.
absl::Status ParseError(const std::string& bytes);

}  // namespace ipp
