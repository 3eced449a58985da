#include <limits>

#include "simulator/api.h"
#include "simulator/fields.h"
#include "simulator/page.h"
#include "simulator/render.h"

namespace ipp::simulator {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

constexpr milliseconds kLongestTypeable = hours(2);
constexpr milliseconds kLongestLifetime = hours(24 * 365);

// The lifetime of the code. Reads the newer `ttl` and, without it, the older `expires_in`.
milliseconds ReadLifetime(Fields& fields) {
  if (fields.Has("ttl") || !fields.Has("expires_in")) {
    const auto ttl = fields.String("ttl", kRequired);
    if (!ttl) return {};
    if (*ttl == "TWO_HOURS") return hours(2);
    if (*ttl == "TWENTY_FOUR_HOURS") return hours(24);
    if (*ttl == "FORTY_EIGHT_HOURS") return hours(48);
    if (*ttl == "SEVENTY_TWO_HOURS") return hours(72);
    fields.Error("ttl",
                 "must be one of TWO_HOURS, TWENTY_FOUR_HOURS, FORTY_EIGHT_HOURS, "
                 "SEVENTY_TWO_HOURS");
    return {};
  }
  const auto expires_in = fields.Integer("expires_in", kOptional).value_or(1);
  if (expires_in < 1) fields.Error("expires_in", "must be greater than 0");
  if (expires_in > kLongestLifetime.count()) fields.Error("expires_in", "is too large");
  return milliseconds(expires_in);
}

}  // namespace

Response Api::CreateEnrollment(Call& call) {
  Response problem;
  const auto body = Body::Parse(call.request, &problem);
  if (body == nullptr) return problem;
  Fields& fields = body->fields();
  Enrollment enrollment;
  const milliseconds lifetime = ReadLifetime(fields);
  const auto& locations = call.merchant.locations;
  enrollment.location_id =
      fields.Uuid("location_id", locations.items().size() > 1).value_or(std::string());
  if (enrollment.location_id.empty() && locations.items().size() == 1) {
    enrollment.location_id = locations.items().front()->id;
  }
  if (!enrollment.location_id.empty() && locations.Find(enrollment.location_id) == nullptr) {
    fields.Error("location_id", "is not a location of this merchant");
  }
  enrollment.metadata = fields.StringMap("metadata");
  if (!body->errors().empty()) return ValidationProblem(body->errors());
  if (call.merchant.enrollments.full()) return FullProblem();

  IdMaker& ids = world_.ids();
  enrollment.id = ids.Uuid();
  enrollment.code =
      lifetime > kLongestTypeable ? ids.LongEnrollmentCode() : ids.TypeableEnrollmentCode();
  enrollment.expires_at = world_.clock().Now() + lifetime;
  JsonWriter json;
  Render(call.merchant.enrollments.Add(std::move(enrollment)), world_.clock().Now(), json);
  Response response;
  response.status = 201;
  response.body = json.Take();
  return response;
}

Response Api::ListEnrollments(Call& call) {
  const PageRequest page = ReadPageRequest(call.query, 100, &call.errors);
  const std::string location_id = call.query.Uuid("location_id", &call.errors);
  const Metadata wanted = ReadMetadataFilter(call.query, &call.errors);
  const bool include_consumed = call.query.Bool("include_consumed", true, &call.errors);
  if (!call.errors.empty()) return ValidationProblem(call.errors);

  const Time now = world_.clock().Now();
  return RenderPage(
      call.merchant.enrollments.items(), page,
      [&](const Enrollment& enrollment) {
        return !enrollment.cancelled && (include_consumed || !enrollment.consumed) &&
               (location_id.empty() || enrollment.location_id == location_id) &&
               HasAll(enrollment.metadata, wanted);
      },
      [&](const Enrollment& enrollment, JsonWriter& json) { Render(enrollment, now, json); });
}

Response Api::DeleteEnrollment(Call& call) {
  Enrollment* enrollment = call.merchant.enrollments.Find(call.id);
  if (enrollment == nullptr || enrollment->cancelled) return NotFoundProblem("Enrollment");
  enrollment->cancelled = true;
  Response response;
  response.status = 204;
  return response;
}

}  // namespace ipp::simulator
