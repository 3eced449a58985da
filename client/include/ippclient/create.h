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
  // For the call and all that it takes to repeat it: no try begins after this, and none may last
  // longer. The number of tries has no other bound; pauses are never shorter than 10 ms.
  absl::Duration timeout = absl::Seconds(30);
  absl::Duration first_pause = absl::Milliseconds(100);  // doubles, half of it at random
  absl::Duration longest_pause = absl::Seconds(2);
  // Called once for each context, for example to add metadata; may be empty. The deadline is set.
  std::function<void(grpc::ClientContext*)> prepare = nullptr;
  // The time, and how to wait; for tests.
  std::function<absl::Time()> now = nullptr;
  std::function<void(absl::Duration)> sleep = nullptr;
};

// Creates, repeated with the same request_id for as long as that is safe and may help:
//
// * UNAVAILABLE or RESOURCE_EXHAUSTED with `retry_safe` true: the gateway's word that it was not
//   done. Not before RetryInfo says so; a wait that does not fit into the timeout is not begun.
// * UNAVAILABLE without ErrorInfo: gRPC's own, there was no connection or it broke, also after the
//   gateway had got the request. The gateway keeps creates by their request_id, so the same id gets
//   what became of the first try, or joins it, and makes nothing twice.
//
// Nothing else is repeated, above all not what has the outcome UNKNOWN: OUTCOME_UNKNOWN comes back,
// and the same request later asks again. The last try's error comes back. Where it says NOT_SENT,
// but an earlier try's connection broke, it says UNKNOWN instead: a gateway that refuses a call
// before it looks for the id (no store, a token that has run out) knows nothing of the earlier one.
//
// An empty request_id is filled in, before the first try: keep it with the order. Blocks.
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
