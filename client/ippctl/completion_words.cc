#include "absl/strings/str_cat.h"
#include "client/ippctl/command.h"
#include "client/ippctl/commands.h"
#include "client/ippctl/completion.h"
#include "client/ippctl/config_file.h"
#include "client/ippctl/fields.h"
#include "client/ippctl/text.h"
#include "kustom/ipp/v1/device.grpc.pb.h"
#include "kustom/ipp/v1/enrollment.grpc.pb.h"
#include "kustom/ipp/v1/location.grpc.pb.h"
#include "kustom/ipp/v1/outcome.grpc.pb.h"

namespace ipp::ippctl {
namespace {

namespace v1 = ::kustom::ipp::v1;

constexpr int kMost = 50;  // more are no help in a menu

void Offer(Invocation& invocation, absl::string_view id, absl::string_view meaning) {
  if (id.empty()) return;
  invocation.out() << absl::StrCat(Printable(id), "\t", Printable(meaning), "\n");
}

int Devices(Invocation& invocation) {
  v1::ListDevicesRequest request;
  request.set_page_size(kMost);
  v1::ListDevicesResponse page;
  const grpc::Status status =
      invocation.Unary<v1::DeviceService>(&v1::DeviceService::Stub::ListDevices, request, &page);
  for (const v1::Device& row : page.devices()) Offer(invocation, row.id(), row.name());
  return status.ok() ? kExitOk : invocation.Fail(status);
}

int Locations(Invocation& invocation) {
  v1::ListLocationsRequest request;
  request.set_page_size(kMost);
  v1::ListLocationsResponse page;
  const grpc::Status status = invocation.Unary<v1::LocationService>(
      &v1::LocationService::Stub::ListLocations, request, &page);
  for (const v1::Location& row : page.locations()) Offer(invocation, row.id(), row.name());
  return status.ok() ? kExitOk : invocation.Fail(status);
}

int Enrollments(Invocation& invocation) {
  v1::ListEnrollmentsRequest request;
  request.set_page_size(kMost);
  v1::ListEnrollmentsResponse page;
  const grpc::Status status = invocation.Unary<v1::EnrollmentService>(
      &v1::EnrollmentService::Stub::ListEnrollments, request, &page);
  for (const v1::Enrollment& row : page.enrollments()) {
    Offer(invocation, row.enrollment_id(),
          EnumText(v1::EnrollmentStatus_descriptor(), row.status(), row.status_raw()));
  }
  return status.ok() ? kExitOk : invocation.Fail(status);
}

// No RPC lists sessions; the creates have their ids, the newest first.
int Sessions(Invocation& invocation) {
  v1::ListCreateOutcomesRequest request;
  request.set_page_size(kMost);
  v1::ListCreateOutcomesResponse page;
  const grpc::Status status = invocation.Unary<v1::OutcomeService>(
      &v1::OutcomeService::Stub::ListCreateOutcomes, request, &page);
  for (const v1::CreateOutcome& row : page.outcomes()) {
    Offer(invocation, row.session_id(), EnumText(v1::CreateState_descriptor(), row.state()));
  }
  return status.ok() ? kExitOk : invocation.Fail(status);
}

int Contexts(Invocation& invocation) {
  const auto file = FindConfigFile(invocation.flags(), invocation.getenv(), GlobalFlags());
  if (!file.ok()) return invocation.Misused(file.status().message());
  for (const auto& [name, settings] : file->contexts) {
    const auto address = settings.find("address");
    Offer(invocation, name, address == settings.end() ? "" : address->second.value);
  }
  return kExitOk;
}

}  // namespace

std::vector<Command> CompletionWordCommands() {
  std::vector<Command> commands;
  const auto add = [&commands](const char* source, int (*run)(Invocation&), Needs needs) {
    commands.push_back({.group = "completion",
                        .name = absl::StrCat("words-", source),
                        .summary = absl::StrCat("Print the ", source, " that Tab offers"),
                        .examples = {absl::StrCat("ippctl completion words-", source)},
                        .run = run,
                        .needs = needs,
                        .hidden = true});
  };
  add("devices", Devices, Needs::kGateway);
  add("locations", Locations, Needs::kGateway);
  add("enrollments", Enrollments, Needs::kGateway);
  add("sessions", Sessions, Needs::kGateway);
  add("contexts", Contexts, Needs::kNothing);
  return commands;
}

}  // namespace ipp::ippctl
