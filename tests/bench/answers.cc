#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>

#include "kustom/ipp/v1/location.grpc.pb.h"
#include "kustom/ipp/v1/session.grpc.pb.h"
#include "tests/bench/flags.h"

// The floor under every unary RPC: a gRPC server with the callback API that answers at once, from
// memory, with the very messages that the gateway gives.
namespace ipp::bench {
namespace {

namespace v1 = kustom::ipp::v1;
using Context = grpc::CallbackServerContext;

template <typename Response>
grpc::ServerUnaryReactor* Answer(Context* context, const Response& answer, Response* response) {
  *response = answer;
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

class Sessions final : public v1::SessionService::CallbackService {
 public:
  grpc::ServerUnaryReactor* GetSession(Context* context, const v1::GetSessionRequest*,
                                       v1::GetSessionResponse* response) override {
    return Answer(context, answer, response);
  }
  v1::GetSessionResponse answer;
};

class Locations final : public v1::LocationService::CallbackService {
 public:
  grpc::ServerUnaryReactor* GetLocation(Context* context, const v1::GetLocationRequest*,
                                        v1::GetLocationResponse* response) override {
    return Answer(context, answer, response);
  }
  v1::GetLocationResponse answer;
};

void Check(const grpc::Status& status) {
  if (!status.ok()) Die("the gateway does not answer: " + status.error_message());
}

}  // namespace

int RunAnswers(const Flags& flags) {
  Sessions sessions;
  Locations locations;
  {
    const auto channel =
        grpc::CreateChannel(flags.Text("learn-from"), grpc::InsecureChannelCredentials());
    const auto prepare = [&flags](grpc::ClientContext* context) {
      context->AddMetadata("authorization", "Bearer " + flags.Text("token"));
      context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    };
    grpc::ClientContext session_context;
    prepare(&session_context);
    v1::GetSessionRequest session;
    session.set_session_id(flags.Text("session"));
    Check(v1::SessionService::NewStub(channel)->GetSession(&session_context, session,
                                                           &sessions.answer));
    grpc::ClientContext location_context;
    prepare(&location_context);
    v1::GetLocationRequest location;
    location.set_location_id(flags.Text("location"));
    Check(v1::LocationService::NewStub(channel)->GetLocation(&location_context, location,
                                                             &locations.answer));
  }
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&sessions);
  builder.RegisterService(&locations);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) Die("cannot listen");
  std::printf("listening %d session_bytes=%zu location_bytes=%zu\n", port,
              sessions.answer.ByteSizeLong(), locations.answer.ByteSizeLong());
  std::fflush(stdout);
  server->Wait();
  return 0;
}

}  // namespace ipp::bench
