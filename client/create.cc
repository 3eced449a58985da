#include "ippclient/create.h"

#include <algorithm>
#include <cstdint>

#include "absl/random/random.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "ippclient/error.h"
#include "kustom/ipp/v1/enrollment.grpc.pb.h"
#include "kustom/ipp/v1/session.grpc.pb.h"
#include "kustom/ipp/v1/simulation.grpc.pb.h"
#include "server/base/error_details.pb.h"

namespace ipp::client {
namespace {

namespace v1 = kustom::ipp::v1;

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

// What the last try says of itself does not hold for one before it that may have got through.
grpc::Status WithUnknownOutcome(const grpc::Status& status) {
  google::rpc::Status details;
  details.ParseFromString(status.error_details());
  for (google::protobuf::Any& any : *details.mutable_details()) {
    google::rpc::ErrorInfo info;
    if (!any.UnpackTo(&info)) continue;
    (*info.mutable_metadata())["outcome"] = std::string(OutcomeName(Outcome::kUnknown));
    any.set_value(info.SerializeAsString());
  }
  return grpc::Status(status.error_code(), status.error_message(), details.SerializeAsString());
}

template <typename Request>
grpc::Status Repeat(Request* request, const CreateOptions& options,
                    const std::function<grpc::Status(grpc::ClientContext*)>& call) {
  if (request->request_id().empty()) request->set_request_id(NewRequestId());
  const auto now = [&options] { return options.now ? options.now() : absl::Now(); };
  absl::BitGen random;
  const absl::Time end = now() + options.timeout;
  absl::Duration limit = options.first_pause;
  bool lost = false;  // a try ended without the gateway's word
  while (true) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(end));
    if (options.prepare) options.prepare(&context);
    grpc::Status status = call(&context);
    if (status.ok()) return status;
    const Error error = DecodeError(status);
    const absl::Duration pause =
        std::max({limit * absl::Uniform<double>(random, 0.5, 1.0), kShortestPause,
                  error.retry_delay.value_or(absl::ZeroDuration())});
    limit = std::min(limit * 2, options.longest_pause);
    if (!MayRepeat(error) || now() + pause >= end) {
      return lost && error.outcome == Outcome::kNotSent ? WithUnknownOutcome(status) : status;
    }
    lost = lost || error.reason.empty();
    options.sleep ? options.sleep(pause) : absl::SleepFor(pause);
  }
}

}  // namespace

grpc::Status CreateSession(const std::shared_ptr<grpc::Channel>& channel,
                           v1::CreateSessionRequest* request, v1::CreateSessionResponse* response,
                           const CreateOptions& options) {
  const auto stub = v1::SessionService::NewStub(channel);
  return Repeat(request, options, [&](grpc::ClientContext* context) {
    return stub->CreateSession(context, *request, response);
  });
}

grpc::Status CreateEnrollment(const std::shared_ptr<grpc::Channel>& channel,
                              v1::CreateEnrollmentRequest* request,
                              v1::CreateEnrollmentResponse* response,
                              const CreateOptions& options) {
  const auto stub = v1::EnrollmentService::NewStub(channel);
  return Repeat(request, options, [&](grpc::ClientContext* context) {
    return stub->CreateEnrollment(context, *request, response);
  });
}

grpc::Status CreateSimulatedDevice(const std::shared_ptr<grpc::Channel>& channel,
                                   v1::CreateSimulatedDeviceRequest* request,
                                   v1::CreateSimulatedDeviceResponse* response,
                                   const CreateOptions& options) {
  const auto stub = v1::SimulationService::NewStub(channel);
  return Repeat(request, options, [&](grpc::ClientContext* context) {
    return stub->CreateSimulatedDevice(context, *request, response);
  });
}

std::string NewRequestId() {
  absl::BitGen random;
  const auto high = absl::Uniform<uint64_t>(random);
  const auto low = absl::Uniform<uint64_t>(random);
  return absl::StrFormat("%08x-%04x-4%03x-%04x-%012x", high >> 32, high >> 16 & 0xffff,
                         high & 0xfff, (low >> 48 & 0x3fff) | 0x8000, low & 0xffffffffffff);
}

}  // namespace ipp::client
