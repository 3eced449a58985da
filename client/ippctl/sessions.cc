#include "client/ippctl/command.h"
#include "client/ippctl/create_session.h"
#include "client/ippctl/render.h"
#include "client/ippctl/watch_session.h"
#include "kustom/ipp/v1/session.grpc.pb.h"

namespace ipp::ippctl {
namespace {

namespace v1 = ::kustom::ipp::v1;
using Service = v1::SessionService;

int Create(Invocation& invocation) {
  const auto request = BuildCreateSession(invocation.flags(), invocation.in());
  if (!request.ok()) return invocation.Misused(request.status().message());
  v1::CreateSessionResponse response;
  const grpc::Status status =
      invocation.Unary<Service>(&Service::Stub::CreateSession, *request, &response);
  if (!status.ok()) {
    return invocation.Fail(status, {.at_most_once = true, .request_id = request->request_id()});
  }
  return invocation.Show({.message = response,
                          .text = RenderSession(response.session(), invocation.look(),
                                                request->request_id(), response.replayed()),
                          .id = response.session().session_id(),
                          .request_id = request->request_id()});
}

// Get and Cancel: an id in, a session out.
template <typename Request, typename Response>
int ForOne(Invocation& invocation,
           grpc::Status (Service::Stub::*method)(grpc::ClientContext*, const Request&, Response*)) {
  Request request;
  request.set_session_id(invocation.words()[0]);
  Response response;
  const grpc::Status status = invocation.Unary<Service>(method, request, &response);
  if (!status.ok()) return invocation.Fail(status);
  return invocation.Show({.message = response,
                          .text = RenderSession(response.session(), invocation.look()),
                          .id = response.session().session_id()});
}

int Get(Invocation& invocation) { return ForOne(invocation, &Service::Stub::GetSession); }
int Cancel(Invocation& invocation) { return ForOne(invocation, &Service::Stub::CancelSession); }

}  // namespace

std::vector<Command> SessionCommands() {
  return {
      {.group = "sessions",
       .name = "create",
       .summary = "Put a payment request on a phone",
       .flags = CreateSessionFlags(),
       .details =
           "The tax inside a line is total × rate ÷ (10000 + rate). Types: physical, discount, "
           "digital, shipping-fee, surcharge. When the outcome is not known, run it again with the "
           "same flags and the --request-id that was printed: it is never done twice. `sessions "
           "outcomes --request-id` tells what became of it.",
       .examples =
           {"ippctl sessions create --device 550e8400-e29b-41d4-a716-446655440000 --amount 25000 "
            "--currency SEK --tax-rate 2500",
            "ippctl sessions create --device 550e8400-e29b-41d4-a716-446655440000 --currency SEK "
            "--item 'Coffee,2,4500,1200' --item 'Staff discount,1,-1000,1200,discount' "
            "--reference A-1001",
            "ippctl sessions create --from-json order.json -o json"},
       .run = Create,
       .kind = "session"},
      {.group = "sessions",
       .name = "get",
       .summary = "Show a session",
       .words = {"SESSION_ID"},
       .examples = {"ippctl sessions get 7c2d4f0e-54a8-4b0e-8d39-1f0d9f0f6a11"},
       .run = Get,
       .kind = "session"},
      {.group = "sessions",
       .name = "cancel",
       .summary = "End a session without payment; shows what became true",
       .words = {"SESSION_ID"},
       .examples = {"ippctl sessions cancel 7c2d4f0e-54a8-4b0e-8d39-1f0d9f0f6a11"},
       .run = Cancel,
       .kind = "session"},
      {.group = "sessions",
       .name = "watch",
       .summary = "Follow a session until it is paid, cancelled, expired or failed",
       .words = {"[SESSION_ID]"},
       .flags = {{.name = "request-id",
                  .value = "UUID",
                  .help = "instead: the request id of the call that makes, or will make, it"},
                 {.name = "exit-status",
                  .kind = FlagKind::kSwitch,
                  .help = "end with 0 only if it was paid, 8 if it ended otherwise"}},
       .details =
           "A line for each step: when it was heard of, the status, the amount, the order or why a "
           "payment failed. A broken connection is made again, for as long as it takes; standard "
           "error tells of it. JSON output is one WatchSessionResponse a line. Ctrl-C ends it with "
           "exit code 0, or with --exit-status 7.",
       .examples = {"ippctl sessions watch 7c2d4f0e-54a8-4b0e-8d39-1f0d9f0f6a11",
                    "ippctl sessions watch 7c2d4f0e-54a8-4b0e-8d39-1f0d9f0f6a11 --exit-status",
                    "ippctl sessions watch --request-id 3f1c2b7a-0a51-4b0e-9d39-1f0d9f0f6a11"},
       .run = WatchSession,
       .kind = "session"},
  };
}

}  // namespace ipp::ippctl
