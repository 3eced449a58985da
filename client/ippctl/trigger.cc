#include <functional>
#include <future>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "client/ippctl/command.h"
#include "client/ippctl/fields.h"
#include "client/ippctl/forward_url.h"
#include "client/ippctl/order.h"
#include "client/ippctl/render.h"
#include "ippclient/version.h"
#include "kustom/ipp/v1/session.grpc.pb.h"
#include "kustom/ipp/v1/simulation.grpc.pb.h"
#include "server/base/metrics.h"
#include "server/http/curl_transport.h"

// A whole payment in one command: a device that needs no phone, a session on it, and its end.
namespace ipp::ippctl {
namespace {

namespace v1 = ::kustom::ipp::v1;
using Sessions = v1::SessionService;
using Simulation = v1::SimulationService;

// What makes the end of the session that was created.
using End = std::function<int(Invocation&, const std::string& session_id)>;

// The device of --device, or a new one. Not OK: nothing else was done.
grpc::Status FindDevice(Invocation& invocation, std::string* id, Attempt* attempt) {
  if (invocation.flags().Has("device")) {
    *id = invocation.flags().Text("device");
    return grpc::Status::OK;
  }
  v1::CreateSimulatedDeviceRequest request;
  request.set_request_id(NewRequestId());
  request.set_name("ippctl trigger");
  request.set_location_id(invocation.flags().Text("location"));
  *attempt = {.at_most_once = true, .request_id = request.request_id()};
  v1::CreateSimulatedDeviceResponse response;
  grpc::Status status =
      invocation.Unary<Simulation>(&Simulation::Stub::CreateSimulatedDevice, request, &response);
  *id = response.device().id();
  return status;
}

int Trigger(Invocation& invocation, const End& end) {
  const FlagValues& flags = invocation.flags();
  v1::CreateSessionRequest request;
  auto line = SingleLine("Trigger", flags.Integer("amount"), 0);
  if (!line.ok()) return invocation.Misused(line.status().message());
  *request.add_order_items() = *std::move(line);
  request.set_purchase_currency(flags.Text("currency"));
  if (const absl::Status status = SumUp(&request); !status.ok()) {
    return invocation.Misused(status.message());
  }
  request.set_merchant_reference1(flags.Text("reference"));
  request.set_request_id(NewRequestId());

  Attempt attempt;
  if (const grpc::Status status = FindDevice(invocation, request.mutable_device_id(), &attempt);
      !status.ok()) {
    return invocation.Fail(status, attempt);
  }
  v1::CreateSessionResponse created;
  if (const grpc::Status status =
          invocation.Unary<Sessions>(&Sessions::Stub::CreateSession, request, &created);
      !status.ok()) {
    return invocation.Fail(status, {.at_most_once = true, .request_id = request.request_id()});
  }
  const std::string& id = created.session().session_id();
  if (const int code = end(invocation, id); code != kExitOk) return code;

  v1::GetSessionRequest get;
  get.set_session_id(id);
  v1::GetSessionResponse response;
  const grpc::Status status =
      invocation.Unary<Sessions>(&Sessions::Stub::GetSession, get, &response);
  if (!status.ok()) return invocation.Fail(status);
  return invocation.Show({.message = response,
                          .text = RenderSession(response.session(), invocation.look()),
                          .id = id});
}

int Tap(Invocation& invocation, const std::string& session_id, v1::TapOutcome outcome) {
  v1::SimulateCardTapRequest request;
  request.set_session_id(session_id);
  request.set_outcome(outcome);
  v1::SimulateCardTapResponse response;
  const grpc::Status status =
      invocation.Unary<Simulation>(&Simulation::Stub::SimulateCardTap, request, &response);
  return status.ok() ? kExitOk : invocation.Fail(status, {.at_most_once = true});
}

int Paid(Invocation& invocation) {
  return Trigger(invocation, [](Invocation& i, const std::string& id) {
    return Tap(i, id, v1::TAP_OUTCOME_SUCCESS);
  });
}

int CancelSession(Invocation& invocation, const std::string& session_id) {
  v1::CancelSessionRequest request;
  request.set_session_id(session_id);
  v1::CancelSessionResponse response;
  const grpc::Status status =
      invocation.Unary<Sessions>(&Sessions::Stub::CancelSession, request, &response);
  return status.ok() ? kExitOk : invocation.Fail(status);
}

int Declined(Invocation& invocation) {
  const auto outcome = static_cast<v1::TapOutcome>(
      EnumNumber(v1::TapOutcome_descriptor(), invocation.flags().Text("outcome")));
  return Trigger(invocation,
                 [outcome](Invocation& i, const std::string& id) { return Tap(i, id, outcome); });
}

int Cancelled(Invocation& invocation) { return Trigger(invocation, CancelSession); }

// Neither the contract nor Kustom's playground can make a session expire; ipp-simulator can.
int ExpireAtSimulator(Invocation& invocation, const ForwardUrl& url,
                      const std::string& session_id) {
  http::CurlOptions options;
  options.base_url = url.origin;
  options.connections = 1;
  options.connect_timeout = invocation.flags().Duration("timeout");
  options.user_agent = absl::StrCat("ippctl/", client::Version());
  Metrics metrics;
  auto transport = http::NewCurlTransport(std::move(options), &metrics);
  if (!transport.ok()) return invocation.Misused(transport.status().message());
  http::HttpRequest request;
  request.method = "POST";
  request.target = absl::StrCat("/_sim/sessions/", session_id, "/expire");
  request.repeatable = http::Repeatable::kHarmless;
  request.deadline = absl::Now() + invocation.flags().Duration("timeout");
  const auto promise = std::make_shared<std::promise<http::HttpResult>>();
  const auto call = (*transport)->Send(std::move(request), [promise](http::HttpResult result) {
    promise->set_value(std::move(result));
  });
  const OnInterrupt cancel(invocation.interrupt(), [call] { call->Cancel(); });
  const http::HttpResult result = promise->get_future().get();
  if (result.status.ok() && result.response.code / 100 == 2) return kExitOk;
  return invocation.Fail(
      {grpc::StatusCode::FAILED_PRECONDITION,
       absl::StrCat("session ", session_id, " is open: the simulator at ", url.origin,
                    result.status.ok() ? absl::StrCat(" answered ", result.response.code)
                                       : " did not answer",
                    "; --simulator is the URL of ipp-simulator")});
}

int Expired(Invocation& invocation) {
  const auto url = ParseForwardUrl(invocation.flags().Text("simulator"));
  if (!url.ok()) {
    absl::string_view why = url.status().message();
    absl::ConsumePrefix(&why, "--forward-to");
    return invocation.Misused(absl::StrCat("--simulator", why));
  }
  return Trigger(invocation, [&url](Invocation& i, const std::string& id) {
    return ExpireAtSimulator(i, *url, id);
  });
}

Command MakeCommand(std::string name, std::string summary, int (*run)(Invocation&)) {
  Command command = {.group = "trigger",
                     .name = name,
                     .summary = std::move(summary),
                     .run = run,
                     .kind = "session"};
  command.flags = {{.name = "device",
                    .value = "ID",
                    .help = "the phone; without it a simulated one is made",
                    .source = "devices"},
                   LocationFlag(),
                   {.name = "amount",
                    .kind = FlagKind::kCount,
                    .value = "N",
                    .help = "minor units",
                    .fallback = "25000"},
                   {.name = "currency", .value = "CODE", .help = "ISO 4217", .fallback = "SEK"},
                   {.name = "reference",
                    .value = "TEXT",
                    .help = "the shop's own order number",
                    .fallback = "ippctl-trigger"}};
  command.examples = {absl::StrCat("ippctl trigger ", name)};
  return command;
}

}  // namespace

std::vector<Command> TriggerCommands() {
  Command paid = MakeCommand("paid", "Make a payment that is paid (playground only)", Paid);
  paid.details =
      "A simulated device, a session on it and a card that is accepted, in one: what "
      "your consumer has to do with it is then seen at once.";
  paid.examples.push_back("ippctl trigger paid --amount 100 --currency EUR --reference A-1001");
  Command declined =
      MakeCommand("declined", "Make a payment whose card is declined (playground only)", Declined);
  declined.details = "The session stays open, as with a real card: the customer may try another.";
  std::vector<std::string> outcomes = EnumChoices(v1::TapOutcome_descriptor());
  std::erase(outcomes, "success");
  declined.flags.push_back({.name = "outcome",
                            .kind = FlagKind::kChoice,
                            .value = "OUTCOME",
                            .help = "why",
                            .choices = std::move(outcomes),
                            .fallback = "insufficient-funds"});
  Command cancelled =
      MakeCommand("cancelled", "Make a payment that is cancelled (playground only)", Cancelled);
  Command expired =
      MakeCommand("expired", "Make a payment that expires (ipp-simulator only)", Expired);
  expired.details =
      "Only ipp-simulator can end a session before its time; it is asked for it "
      "over HTTP.";
  expired.flags.push_back({.name = "simulator",
                           .value = "URL",
                           .help = "of ipp-simulator",
                           .fallback = "http://127.0.0.1:9080",
                           .environment = "IPPCTL_SIMULATOR"});
  return {paid, declined, cancelled, expired};
}

}  // namespace ipp::ippctl
