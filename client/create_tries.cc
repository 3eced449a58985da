#include "client/create_tries.h"

#include <algorithm>

#include "client/error_status.h"
#include "ippclient/error.h"

namespace ipp::client {
namespace {

// However the pauses are set: a gateway that answers at once must not be asked without end.
constexpr absl::Duration kShortestPause = absl::Milliseconds(10);

// Worth another try with the same request_id.
bool MayRepeat(const Error& error) {
  // Without the gateway's word it is gRPC's own. Its RESOURCE_EXHAUSTED is a message that is too
  // large, which it will be again.
  if (error.reason.empty()) return error.code == grpc::StatusCode::UNAVAILABLE;
  return (error.code == grpc::StatusCode::UNAVAILABLE ||
          error.code == grpc::StatusCode::RESOURCE_EXHAUSTED) &&
         error.retry_safe.value_or(false) && error.outcome != Outcome::kUnknown;
}

}  // namespace

std::optional<absl::Duration> CreateTries::PauseAfter(const grpc::Status& status,
                                                      absl::Duration left, double chance) {
  const Error error = DecodeError(status);
  last_ = status;
  lost_ = lost_ || wordless_;
  wordless_ = error.reason.empty();
  const absl::Duration pause = std::max(
      {backoff_.Next(chance), kShortestPause, error.retry_delay.value_or(absl::ZeroDuration())});
  if (!MayRepeat(error) || pause >= left) return std::nullopt;
  return pause;
}

grpc::Status CreateTries::Verdict() const {
  // What the last try says of itself does not hold for one before it that may have got through.
  const bool unsure = lost_ && DecodeError(last_).outcome == Outcome::kNotSent;
  return unsure ? WithOutcome(last_, Outcome::kUnknown) : last_;
}

}  // namespace ipp::client
