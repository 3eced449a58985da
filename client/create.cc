#include "ippclient/create.h"

#include <cstdint>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "client/create_tries.h"
#include "client/error_status.h"
#include "client/utf8.h"
#include "kustom/ipp/v1/enrollment.grpc.pb.h"
#include "kustom/ipp/v1/session.grpc.pb.h"
#include "kustom/ipp/v1/simulation.grpc.pb.h"

namespace ipp::client {
namespace {

namespace v1 = kustom::ipp::v1;

template <typename Request>
grpc::Status Repeat(Request* request, const CreateOptions& options,
                    const std::function<grpc::Status(grpc::ClientContext*)>& call) {
  const bool new_id = request->request_id().empty();
  if (new_id) request->set_request_id(NewRequestId());
  if (const auto field = FieldNotUtf8(*request)) {
    // An earlier create with the caller's id may have any outcome.
    return NotUtf8Status(*field, new_id ? Outcome::kNotSent : Outcome::kUnknown);
  }
  const auto now = [&options] { return options.now ? options.now() : absl::Now(); };
  absl::BitGen random;
  const absl::Time end = now() + options.timeout;
  CreateTries tries(options.first_pause, options.longest_pause);
  while (true) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(end));
    if (options.prepare) options.prepare(&context);
    const grpc::Status status = call(&context);
    if (status.ok()) return status;
    const auto pause = tries.PauseAfter(status, end - now(), absl::Uniform(random, 0.0, 1.0));
    if (!pause) return tries.Verdict();
    options.sleep ? options.sleep(*pause) : absl::SleepFor(*pause);
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
