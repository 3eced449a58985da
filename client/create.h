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
  // For the call and all that it takes to repeat it.
  absl::Duration timeout = absl::Seconds(30);
  absl::Duration first_pause = absl::Milliseconds(100);  // doubles, half of it at random
  absl::Duration longest_pause = absl::Seconds(2);
  // Called once for each context, for example Connection's metadata; may be empty.
  std::function<void(grpc::ClientContext*)> prepare = nullptr;
  // How to wait; for tests.
  std::function<void(absl::Duration)> sleep = nullptr;
};

// Creates, repeated with the same request_id for as long as that is safe and may help: the gateway
// says `retry_safe` (it was not sent, or it was turned away by a limit), or the connection to the
// gateway broke, where the same id gets the answer of the first try. Never when the outcome is not
// known: then OUTCOME_UNKNOWN comes back, with the id in the request.
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
