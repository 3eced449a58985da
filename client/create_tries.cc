#include "client/create_tries.h"

#include <algorithm>

#include "client/error_status.h"
#include "ippclient/error.h"

namespace ipp::client {
namespace {

// The least pause, whatever the options say: a gateway that answers at once must not be called in a
// tight loop.
constexpr absl::Duration kShortestPause = absl::Milliseconds(10);

// Whether another attempt with the same request_id is safe and may help.
bool MayRepeat(const Error& error) {
  // Without a reason the error is gRPC's own. Its RESOURCE_EXHAUSTED means a message that is too
  // large, and will be too large again.
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
  // The last attempt's NOT_SENT does not hold for an earlier one that may have reached the gateway.
  const bool unsure = lost_ && DecodeError(last_).outcome == Outcome::kNotSent;
  return unsure ? WithOutcome(last_, Outcome::kUnknown) : last_;
}

}  // namespace ipp::client
