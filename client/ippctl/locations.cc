#include "absl/strings/str_join.h"
#include "client/ippctl/command.h"
#include "client/ippctl/fields.h"
#include "client/ippctl/paging.h"
#include "client/ippctl/table.h"
#include "kustom/ipp/v1/location.grpc.pb.h"

namespace ipp::ippctl {
namespace {

namespace v1 = ::kustom::ipp::v1;
using Service = v1::LocationService;

int List(Invocation& invocation) {
  v1::ListLocationsResponse all;
  const grpc::Status status = ListAll<Service>(invocation, &Service::Stub::ListLocations,
                                               &v1::ListLocationsResponse::mutable_locations,
                                               v1::ListLocationsRequest(), &all);
  if (!status.ok()) return invocation.Fail(status);
  return invocation.ShowList(all);
}

int Get(Invocation& invocation) {
  v1::GetLocationRequest request;
  request.set_location_id(invocation.words()[0]);
  v1::GetLocationResponse response;
  const grpc::Status status =
      invocation.Unary<Service>(&Service::Stub::GetLocation, request, &response);
  if (!status.ok()) return invocation.Fail(status);
  const v1::Location& location = response.location();
  Properties properties;
  properties.Add("Location", location.id());
  properties.Add("Name", location.name());
  properties.Add("Merchant", location.merchant_id());
  properties.Add("Address", location.street_address());
  properties.Add("", location.street_address2());
  properties.Add("Postal code", location.postal_code());
  properties.Add("City", location.city());
  properties.Add("Country", location.country());
  properties.Add("Created", FormatTimestamp(location.created_at(), invocation.look().zone));
  properties.Add("Updated", FormatTimestamp(location.updated_at(), invocation.look().zone));
  properties.Add("Unreadable", absl::StrJoin(location.unreadable_fields(), ", "));
  return invocation.Show(
      {.message = response, .text = properties.Render(invocation.look()), .id = location.id()});
}

std::vector<Column> LocationColumns() {
  using Row = v1::Location;
  return {
      ColumnOf<Row>("ID", [](const Row& row) { return row.id(); }),
      ColumnOf<Row>("NAME", [](const Row& row) { return row.name(); }, {.shrinks = true}),
      ColumnOf<Row>("ADDRESS", [](const Row& row) { return row.street_address(); },
                    {.shrinks = true, .drop = 2}),
      ColumnOf<Row>("CITY", [](const Row& row) { return row.city(); },
                    {.shrinks = true, .drop = 1}),
      ColumnOf<Row>("COUNTRY", [](const Row& row) { return row.country(); }, {.drop = 3}),
  };
}

}  // namespace

std::vector<Command> LocationCommands() {
  return {
      {.group = "locations",
       .name = "list",
       .summary = "List the shops",
       .flags = {LimitFlag("")},
       .examples = {"ippctl locations list", "ippctl locations list -o json"},
       .run = List,
       .kind = "location",
       .columns = LocationColumns()},
      {.group = "locations",
       .name = "get",
       .summary = "Show one shop",
       .words = {"LOCATION_ID"},
       .examples = {"ippctl locations get 0b5c1d0e-8f1c-4d1a-9f0a-3f6f3a0f5d11"},
       .run = Get,
       .kind = "location"},
  };
}

}  // namespace ipp::ippctl
