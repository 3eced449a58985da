#pragma once

#include <grpcpp/support/status.h>

#include <optional>

#include "absl/time/time.h"
#include "client/retry.h"

namespace ipp::client {

// What is known of a create after each of its tries; the rules of ippclient/create.h.
class CreateTries {
 public:
  // `lost`: a try before these may have got through.
  CreateTries(absl::Duration first_pause, absl::Duration longest_pause, bool lost = false)
      : backoff_(first_pause, longest_pause), lost_(lost) {}

  // After a try that failed: how long to wait before the next, when that is safe and may help.
  // `left`: until the time is up; a wait that does not fit in is not begun. `chance`: uniform in
  // [0, 1).
  std::optional<absl::Duration> PauseAfter(const grpc::Status& status, absl::Duration left,
                                           double chance);

  // What the last try's error says of all of them.
  grpc::Status Verdict() const;

 private:
  Backoff backoff_;
  bool lost_;              // a try before the last one ended without the gateway's word
  bool wordless_ = false;  // the last one did
  grpc::Status last_;
};

}  // namespace ipp::client
