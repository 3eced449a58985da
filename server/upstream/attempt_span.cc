#include "server/upstream/attempt_span.h"

#include "absl/strings/str_cat.h"

namespace ipp::upstream {

std::unique_ptr<Span> StartAttemptSpan(Tracer* tracer, const routes::Route& route,
                                       const RouteRow& row, const TraceContext& parent,
                                       int attempt) {
  auto span =
      StartSpan(tracer, {.name = row.span_name, .kind = SpanKind::kClient, .parent = parent});
  if (span == nullptr) return nullptr;
  span->Set("http.request.method", route.options().method());
  span->Set("url.template", route.options().path());
  if (attempt > 1) span->Set("http.request.resend_count", int64_t{attempt - 1});
  return span;
}

void EndAttemptSpan(std::unique_ptr<Span> span, const routes::Route& route,
                    const http::HttpResult& result) {
  if (span == nullptr) return;
  if (!result.status.ok()) {
    const bool not_sent = result.fate == http::RequestFate::kNotSent;
    span->Set("ipp.transport.verdict", not_sent ? "NOT_SENT" : "UNKNOWN");
    return span->Fail(absl::StatusCodeToString(result.status.code()));
  }
  span->Set("ipp.transport.verdict", "ANSWERED");
  span->Set("http.response.status_code", int64_t{result.response.code});
  if (!route.Succeeded(result.response.code)) span->Fail(absl::StrCat(result.response.code));
}

}  // namespace ipp::upstream
