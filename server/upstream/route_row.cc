#include "server/upstream/route_row.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace ipp::upstream {
namespace {

using google::protobuf::FieldDescriptor;

constexpr std::array<const char*, static_cast<size_t>(Ending::kCount)> kEndingNames = {
    "ok", "rejected", "rate_limited", "failed", "no_answer", "not_sent", "malformed"};

Subject SubjectOf(const routes::Route& route) {
  const google::protobuf::Descriptor& request = *route.method()->input_type();
  const FieldDescriptor* const resource =
      route.method()->output_type()->FindFieldByName(route.options().response());
  if (resource == nullptr || resource->is_repeated()) return {};
  for (int i = 0; i < request.field_count(); ++i) {
    const FieldDescriptor* const asked = request.field(i);
    if (!IsIdentifier(*asked) ||
        !absl::StrContains(route.options().path(), absl::StrCat("{", asked->name(), "}"))) {
      continue;
    }
    for (const std::string& name : {std::string(asked->name()), std::string("id")}) {
      const FieldDescriptor* const id = resource->message_type()->FindFieldByName(name);
      if (id != nullptr && IsIdentifier(*id)) return {asked, resource, id};
    }
  }
  return {};
}

}  // namespace

Ending EndingOf(int http_code) {
  if (http_code == 429) return Ending::kRateLimited;
  return http_code >= 400 && http_code < 500 ? Ending::kRejected : Ending::kFailed;
}

RouteRow::RouteRow(const routes::Route& route, Metrics* metrics)
    : subject(SubjectOf(route)),
      identifiers(route.method()->output_type()),
      span_name(absl::StrCat(route.options().method(), " ", route.options().path())) {
  const std::string operation(route.method()->name());
  for (size_t i = 0; i < kEndingNames.size(); ++i) {
    endings[i] = &metrics->counter("ipp_upstream_requests_total",
                                   "Requests to the upstream, each attempt counted.",
                                   {{"operation", operation}, {"result", kEndingNames[i]}});
  }
  seconds = &metrics->histogram("ipp_upstream_request_seconds",
                                "From handing a request to the transport to its end.",
                                {{"operation", operation}});
  retries = &metrics->counter("ipp_upstream_retries_total", "Retries of reads.",
                              {{"operation", operation}});
}

}  // namespace ipp::upstream
