#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/ippctl/command.h"
#include "client/ippctl/fields.h"
#include "client/ippctl/paging.h"
#include "client/ippctl/table.h"
#include "kustom/ipp/v1/enrollment.grpc.pb.h"

namespace ipp::ippctl {
namespace {

namespace v1 = ::kustom::ipp::v1;
using Service = v1::EnrollmentService;

v1::EnrollmentTtl ParseTtl(const std::string& ttl) {
  if (ttl == "2h") return v1::ENROLLMENT_TTL_TWO_HOURS;
  if (ttl == "24h") return v1::ENROLLMENT_TTL_TWENTY_FOUR_HOURS;
  if (ttl == "48h") return v1::ENROLLMENT_TTL_FORTY_EIGHT_HOURS;
  if (ttl == "72h") return v1::ENROLLMENT_TTL_SEVENTY_TWO_HOURS;
  return v1::ENROLLMENT_TTL_UNSPECIFIED;
}

std::string StatusText(const v1::Enrollment& enrollment) {
  return EnumText(v1::EnrollmentStatus_descriptor(), enrollment.status(), enrollment.status_raw());
}

int Create(Invocation& invocation) {
  const FlagValues& flags = invocation.flags();
  if (flags.Has("ttl") == flags.Has("expires-in")) {
    return invocation.Misused("give one of --ttl and --expires-in");
  }
  v1::CreateEnrollmentRequest request;
  request.set_request_id(flags.Has("request-id") ? flags.Text("request-id") : NewRequestId());
  request.set_ttl(ParseTtl(flags.Text("ttl")));
  if (flags.Has("expires-in")) {
    request.set_expires_in(absl::ToInt64Milliseconds(flags.Duration("expires-in")));
  }
  request.set_location_id(flags.Text("location"));
  FillMap(flags.Pairs("metadata"), request.mutable_metadata());
  v1::CreateEnrollmentResponse response;
  const grpc::Status status =
      invocation.Unary<Service>(&Service::Stub::CreateEnrollment, request, &response);
  if (!status.ok()) {
    return invocation.Fail(status, {.at_most_once = true, .request_id = request.request_id()});
  }
  const v1::Enrollment& enrollment = response.enrollment();
  Properties properties;
  properties.Add("Code", enrollment.enrollment_code());
  properties.Add("Valid until", FormatTimestamp(enrollment.expires_at(), invocation.look().zone));
  properties.Add("Enrollment", enrollment.enrollment_id());
  properties.Add("Status", StatusText(enrollment));
  properties.Add("Metadata", MapText(enrollment.metadata()));
  properties.Add("Unreadable", absl::StrJoin(enrollment.unreadable_fields(), ", "));
  properties.Add("Request id", request.request_id());
  return invocation.Show({.message = response,
                          .text = properties.Render(invocation.look()),
                          .id = enrollment.enrollment_id(),
                          .request_id = request.request_id(),
                          .reveal = true});
}

int List(Invocation& invocation) {
  v1::ListEnrollmentsRequest request;
  request.set_location_id(invocation.flags().Text("location"));
  FillMap(invocation.flags().Pairs("metadata"), request.mutable_metadata());
  if (invocation.flags().Has("unused")) request.set_include_consumed(false);
  v1::ListEnrollmentsResponse all;
  const grpc::Status status =
      ListAll<Service>(invocation, &Service::Stub::ListEnrollments,
                       &v1::ListEnrollmentsResponse::mutable_enrollments, std::move(request), &all);
  if (!status.ok()) return invocation.Fail(status);
  return invocation.ShowList(all);
}

int Delete(Invocation& invocation) {
  v1::DeleteEnrollmentRequest request;
  request.set_enrollment_id(invocation.words()[0]);
  v1::DeleteEnrollmentResponse response;
  const grpc::Status status =
      invocation.Unary<Service>(&Service::Stub::DeleteEnrollment, request, &response);
  if (!status.ok()) return invocation.Fail(status);
  return invocation.Show(
      {.message = response,
       .text = absl::StrCat("Cancelled enrollment ", request.enrollment_id(), "\n"),
       .id = request.enrollment_id()});
}

std::vector<Column> EnrollmentColumns() {
  using Row = v1::Enrollment;
  return {
      ColumnOf<Row>("ID", [](const Row& row) { return row.enrollment_id(); }),
      ColumnOf<Row>("STATUS", StatusText, {.painted = true}),
      ColumnOf<Row>("EXPIRES", [](const Row& row,
                                  const Look& look) { return TableTime(row.expires_at(), look); }),
      ColumnOf<Row>("METADATA", [](const Row& row) { return MapText(row.metadata()); },
                    {.shrinks = true, .drop = 1}),
  };
}

}  // namespace

std::vector<Command> EnrollmentCommands() {
  return {
      {.group = "enrollments",
       .name = "create",
       .summary = "Make a code that pairs a phone, and show it",
       .flags = {{.name = "ttl",
                  .kind = FlagKind::kChoice,
                  .value = "TTL",
                  .help = "how long the code lives; only 2h gives one that can be typed",
                  .choices = {"2h", "24h", "48h", "72h"}},
                 {.name = "expires-in",
                  .kind = FlagKind::kDuration,
                  .value = "DURATION",
                  .help = "the same for older accounts"},
                 LocationFlag(),
                 MetadataFlag("copied to the device"),
                 RequestIdFlag()},
       .details = "Any person who has the code can pair a phone with the account until it expires.",
       .examples = {"ippctl enrollments create --ttl 2h",
                    "ippctl enrollments create --ttl 24h --metadata till=2 -o json"},
       .run = Create,
       .kind = "enrollment"},
      {.group = "enrollments",
       .name = "list",
       .summary = "List the pairing codes, without the codes themselves",
       .flags = {LocationFlag(),
                 MetadataFlag("only those with this pair; at most 5"),
                 {.name = "unused", .kind = FlagKind::kSwitch, .help = "leave out used codes"},
                 LimitFlag("")},
       .examples = {"ippctl enrollments list --unused"},
       .run = List,
       .kind = "enrollment",
       .columns = EnrollmentColumns()},
      {.group = "enrollments",
       .name = "delete",
       .summary = "Take a pairing code back",
       .words = {"ENROLLMENT_ID"},
       .examples = {"ippctl enrollments delete 9a1f5c52-0d5e-4a3e-8a55-f8ad6c0ed3f4"},
       .run = Delete,
       .kind = "enrollment"},
  };
}

}  // namespace ipp::ippctl
