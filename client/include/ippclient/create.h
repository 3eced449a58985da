#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <string>

#include "absl/time/time.h"
#include "kustom/ipp/v1/enrollment.pb.h"
#include "kustom/ipp/v1/session.pb.h"
#include "kustom/ipp/v1/simulation.pb.h"

namespace ipp::client {

struct CreateOptions {
  // The limit for the call and all its retries: no attempt begins or lasts beyond it. The number of
  // attempts is not limited otherwise; pauses are never shorter than 10 ms.
  absl::Duration timeout = absl::Seconds(30);
  absl::Duration first_pause = absl::Milliseconds(100);  // doubles; half of it is random
  absl::Duration longest_pause = absl::Seconds(2);
  // Called for each attempt's context, for example to add metadata; may be empty. The deadline is
  // already set.
  std::function<void(grpc::ClientContext*)> prepare = nullptr;
  // Clock and sleep; for tests.
  std::function<absl::Time()> now = nullptr;
  std::function<void(absl::Duration)> sleep = nullptr;
};

// Creates, retried with the same request_id as long as that is safe and may help:
//
// * UNAVAILABLE or RESOURCE_EXHAUSTED with `retry_safe` true: the gateway states that nothing was
//   executed. The retry waits for the time in RetryInfo; a wait that does not fit into the timeout
//   is not begun.
// * UNAVAILABLE without ErrorInfo: gRPC's own error. There was no connection or it broke, perhaps
//   after the gateway had received the request. The gateway stores creates by their request_id, so
//   a retry gets the outcome of the first attempt, or joins it, and creates nothing twice.
//
// No other error is retried, in particular none with the outcome UNKNOWN: OUTCOME_UNKNOWN is
// returned, and the same request may be sent again later. The error of the last attempt is
// returned. If it says NOT_SENT although the connection of an earlier attempt broke, it is changed
// to UNKNOWN: a gateway that refuses a call before it reads its ledger (no store, an expired token)
// knows nothing of the earlier attempt.
//
// An empty request_id is filled in before the first attempt: keep it with the order. Blocks.
// Thread-safe.
grpc::Status CreateSession(const std::shared_ptr<grpc::Channel>& channel,
                           kustom::ipp::v1::CreateSessionRequest* request,
                           kustom::ipp::v1::CreateSessionResponse* response,
                           const CreateOptions& options = {});
grpc::Status CreateEnrollment(const std::shared_ptr<grpc::Channel>& channel,
                              kustom::ipp::v1::CreateEnrollmentRequest* request,
                              kustom::ipp::v1::CreateEnrollmentResponse* response,
                              const CreateOptions& options = {});
grpc::Status CreateSimulatedDevice(const std::shared_ptr<grpc::Channel>& channel,
                                   kustom::ipp::v1::CreateSimulatedDeviceRequest* request,
                                   kustom::ipp::v1::CreateSimulatedDeviceResponse* response,
                                   const CreateOptions& options = {});

// A random UUID (version 4).
std::string NewRequestId();

}  // namespace ipp::client
