#include "absl/strings/str_cat.h"
#include "client/ippctl/command.h"
#include "client/ippctl/fields.h"
#include "client/ippctl/paging.h"
#include "client/ippctl/render.h"
#include "kustom/ipp/v1/device.grpc.pb.h"

namespace ipp::ippctl {
namespace {

namespace v1 = ::kustom::ipp::v1;
using Service = v1::DeviceService;

int List(Invocation& invocation) {
  v1::ListDevicesRequest request;
  request.set_location_id(invocation.flags().Text("location"));
  FillMap(invocation.flags().Pairs("metadata"), request.mutable_metadata());
  v1::ListDevicesResponse all;
  const grpc::Status status =
      ListAll<Service>(invocation, &Service::Stub::ListDevices,
                       &v1::ListDevicesResponse::mutable_devices, std::move(request), &all);
  if (!status.ok()) return invocation.Fail(status);
  return invocation.ShowList(all);
}

int Get(Invocation& invocation) {
  v1::GetDeviceRequest request;
  request.set_device_id(invocation.words()[0]);
  v1::GetDeviceResponse response;
  const grpc::Status status =
      invocation.Unary<Service>(&Service::Stub::GetDevice, request, &response);
  if (!status.ok()) return invocation.Fail(status);
  return invocation.Show({.message = response,
                          .text = RenderDevice(response.device(), invocation.look()),
                          .id = response.device().id()});
}

// Which settings change: what has a new value, and what --clear names.
absl::Status FillUpdate(const FlagValues& flags, v1::UpdateDeviceRequest* request) {
  v1::DeviceSettings& settings = *request->mutable_settings();
  google::protobuf::FieldMask mask;
  if (flags.Has("name")) {
    settings.set_name(flags.Text("name"));
    mask.add_paths("name");
  }
  if (flags.Has("location")) {
    settings.set_location_id(flags.Text("location"));
    mask.add_paths("location_id");
  }
  if (flags.Has("metadata")) {
    FillMap(flags.Pairs("metadata"), settings.mutable_metadata());
    mask.add_paths("metadata");
  }
  for (const std::string& cleared : flags.All("clear")) {
    if (flags.Has(cleared)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--", cleared, " and --clear ", cleared, " contradict each other"));
    }
    mask.add_paths(cleared == "location" ? "location_id" : cleared);
  }
  if (flags.Has("replace")) {
    if (flags.Has("clear")) {
      return absl::InvalidArgumentError("--replace clears what is not given: leave out --clear");
    }
    return absl::OkStatus();
  }
  if (mask.paths().empty()) return absl::InvalidArgumentError("nothing to change");
  *request->mutable_update_mask() = mask;
  return absl::OkStatus();
}

int Update(Invocation& invocation) {
  v1::UpdateDeviceRequest request;
  request.set_device_id(invocation.words()[0]);
  if (const absl::Status status = FillUpdate(invocation.flags(), &request); !status.ok()) {
    return invocation.Misused(status.message());
  }
  v1::UpdateDeviceResponse response;
  const grpc::Status status =
      invocation.Unary<Service>(&Service::Stub::UpdateDevice, request, &response);
  if (!status.ok()) return invocation.Fail(status);
  return invocation.Show({.message = response,
                          .text = RenderDevice(response.device(), invocation.look()),
                          .id = response.device().id()});
}

int Delete(Invocation& invocation) {
  v1::DeleteDeviceRequest request;
  request.set_device_id(invocation.words()[0]);
  v1::DeleteDeviceResponse response;
  const grpc::Status status =
      invocation.Unary<Service>(&Service::Stub::DeleteDevice, request, &response);
  if (!status.ok()) return invocation.Fail(status);
  return invocation.Show({.message = response,
                          .text = absl::StrCat("Deleted device ", request.device_id(), "\n"),
                          .id = request.device_id()});
}

std::vector<Column> DeviceColumns() {
  using Row = v1::Device;
  return {
      ColumnOf<Row>("ID", [](const Row& row) { return row.id(); }),
      ColumnOf<Row>("NAME", [](const Row& row) { return row.name(); }, {.shrinks = true}),
      ColumnOf<Row>("PLATFORM", PlatformText),
      ColumnOf<Row>("LOCATION", [](const Row& row) { return row.location_id(); }, {.drop = 3}),
      ColumnOf<Row>("REGISTER",
                    [](const Row& row) {
                      return row.has_open_cash_register_id()
                                 ? absl::StrCat(row.open_cash_register_id())
                                 : "none";
                    },
                    {.drop = 2}),
      ColumnOf<Row>(
          "CREATED",
          [](const Row& row, const Look& look) { return TableTime(row.created_at(), look); },
          {.drop = 1}),
      ColumnOf<Row>("METADATA", [](const Row& row) { return MapText(row.metadata()); },
                    {.wide = true, .shrinks = true}),
  };
}

}  // namespace

std::vector<Command> DeviceCommands() {
  return {
      {.group = "devices",
       .name = "list",
       .summary = "List the paired phones",
       .flags = {LocationFlag(), MetadataFlag("only devices with this pair; at most 5"),
                 LimitFlag("")},
       .examples =
           {"ippctl devices list",
            "ippctl devices list --location 0b5c1d0e-8f1c-4d1a-9f0a-3f6f3a0f5d11 -o json",
            "ippctl devices list --metadata floor=2 --limit 10",
            "ippctl devices list -o jsonpath='{range .devices[*]}{.id} {.name}{\"\\n\"}{end}'"},
       .run = List,
       .kind = "device",
       .columns = DeviceColumns()},
      {.group = "devices",
       .name = "get",
       .summary = "Show one device",
       .words = {"DEVICE_ID"},
       .examples = {"ippctl devices get 550e8400-e29b-41d4-a716-446655440000"},
       .run = Get,
       .kind = "device"},
      {.group = "devices",
       .name = "update",
       .summary = "Change a device's name, location or metadata",
       .words = {"DEVICE_ID"},
       .flags = {{.name = "name", .value = "TEXT", .help = "the new name"},
                 {.name = "location",
                  .value = "ID",
                  .help = "move it to this location (UUID)",
                  .source = "locations"},
                 MetadataFlag("the new metadata, all of it"),
                 {.name = "clear",
                  .kind = FlagKind::kChoice,
                  .value = "WHAT",
                  .help = "remove it",
                  .repeated = true,
                  .choices = {"name", "location", "metadata"}},
                 {.name = "replace",
                  .kind = FlagKind::kSwitch,
                  .help = "remove everything that is not given"}},
       .details = "Without --replace, what is not named stays as it is.",
       .examples = {"ippctl devices update 550e8400-e29b-41d4-a716-446655440000 --name 'Till 2'",
                    "ippctl devices update 550e8400-e29b-41d4-a716-446655440000 --clear location"},
       .run = Update,
       .kind = "device"},
      {.group = "devices",
       .name = "delete",
       .summary = "Remove a device from the account",
       .words = {"DEVICE_ID"},
       .examples = {"ippctl devices delete 550e8400-e29b-41d4-a716-446655440000"},
       .run = Delete,
       .kind = "device"},
  };
}

}  // namespace ipp::ippctl
