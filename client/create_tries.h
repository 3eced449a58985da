#pragma once

#include <grpcpp/support/status.h>

#include <optional>

#include "absl/time/time.h"
#include "client/retry.h"

namespace ipp::client {

// Evaluates the attempts of a create by the rules of ippclient/create.h.
class CreateTries {
 public:
  // `lost`: an attempt before these may have reached the gateway.
  CreateTries(absl::Duration first_pause, absl::Duration longest_pause, bool lost = false)
      : backoff_(first_pause, longest_pause), lost_(lost) {}

  // Call it after each failed attempt: returns the pause before the next one, if a retry is safe
  // and may help. `left`: the remaining time; a pause that does not fit is not begun. `chance`:
  // uniform in [0, 1).
  std::optional<absl::Duration> PauseAfter(const grpc::Status& status, absl::Duration left,
                                           double chance);

  // The last error, corrected for what all attempts together prove.
  grpc::Status Verdict() const;

 private:
  Backoff backoff_;
  bool lost_;              // an attempt before the last one ended without an answer of the gateway
  bool wordless_ = false;  // the last one ended without an answer of the gateway
  grpc::Status last_;
};

}  // namespace ipp::client
