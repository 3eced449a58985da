#include "absl/strings/str_cat.h"
#include "client/ippctl/command.h"
#include "client/ippctl/fields.h"
#include "client/ippctl/render.h"
#include "kustom/ipp/v1/simulation.grpc.pb.h"

namespace ipp::ippctl {
namespace {

namespace v1 = ::kustom::ipp::v1;
using Service = v1::SimulationService;

int MakeDevice(Invocation& invocation) {
  const FlagValues& flags = invocation.flags();
  v1::CreateSimulatedDeviceRequest request;
  request.set_request_id(flags.Has("request-id") ? flags.Text("request-id") : NewRequestId());
  request.set_name(flags.Text("name"));
  request.set_location_id(flags.Text("location"));
  FillMap(flags.Pairs("metadata"), request.mutable_metadata());
  v1::CreateSimulatedDeviceResponse response;
  const grpc::Status status =
      invocation.Unary<Service>(&Service::Stub::CreateSimulatedDevice, request, &response);
  if (!status.ok()) {
    return invocation.Fail(status, {.at_most_once = true, .request_id = request.request_id()});
  }
  return invocation.Show({.message = response,
                          .text = RenderDevice(response.device(), invocation.look()),
                          .id = response.device().id(),
                          .request_id = request.request_id()});
}

int Tap(Invocation& invocation) {
  const std::string outcome = invocation.flags().Text("outcome");
  v1::SimulateCardTapRequest request;
  request.set_session_id(invocation.words()[0]);
  request.set_outcome(
      static_cast<v1::TapOutcome>(EnumNumber(v1::TapOutcome_descriptor(), outcome)));
  v1::SimulateCardTapResponse response;
  const grpc::Status status =
      invocation.Unary<Service>(&Service::Stub::SimulateCardTap, request, &response);
  if (!status.ok()) return invocation.Fail(status, {.at_most_once = true});
  return invocation.Show(
      {.message = response,
       .text = absl::StrCat("Tapped session ", request.session_id(), ": ", outcome, "\n"),
       .id = request.session_id()});
}

}  // namespace

std::vector<Command> SimulationCommands() {
  return {
      {.group = "simulate",
       .name = "device",
       .summary = "Make a device that needs no phone (playground only)",
       .flags = {{.name = "name", .value = "TEXT", .help = "what people call it", .required = true},
                 LocationFlag(),
                 MetadataFlag("a pair to keep with it"),
                 RequestIdFlag()},
       .examples = {"ippctl simulate device --name 'Till 1'"},
       .run = MakeDevice,
       .kind = "device"},
      {.group = "simulate",
       .name = "tap",
       .summary = "Pretend that a card was held to the phone (playground only)",
       .words = {"SESSION_ID"},
       .flags = {{.name = "outcome",
                  .kind = FlagKind::kChoice,
                  .value = "OUTCOME",
                  .help = "what comes of it",
                  .choices = EnumChoices(v1::TapOutcome_descriptor()),
                  .fallback = "success"}},
       .examples = {"ippctl simulate tap 7c2d4f0e-54a8-4b0e-8d39-1f0d9f0f6a11",
                    "ippctl simulate tap 7c2d4f0e-54a8-4b0e-8d39-1f0d9f0f6a11 "
                    "--outcome insufficient-funds"},
       .run = Tap,
       .kind = "session"},
  };
}

}  // namespace ipp::ippctl
