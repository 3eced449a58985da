#pragma once

#include <memory>

#include "server/base/tracer.h"
#include "server/http/http_transport.h"
#include "server/routes/route_table.h"
#include "server/upstream/route_row.h"

// The span of one attempt of an upstream request: from its hand-over to the transport to its end.
// The upstream gets the span's id as its parent. Attributes: http.request.method, url.template (the
// path with {names} in place of ids), http.request.resend_count of a retry,
// http.response.status_code of an answer, and ipp.transport.verdict: NOT_SENT, ANSWERED (a whole
// answer came) or UNKNOWN.
namespace ipp::upstream {

// Null without tracing, or in a trace that is not recorded. `attempt` counts from 1.
std::unique_ptr<Span> StartAttemptSpan(Tracer* tracer, const routes::Route& route,
                                       const RouteRow& row, const TraceContext& parent,
                                       int attempt);

// Ends the span, if there is one. An answer that the route does not call a success is a failure.
void EndAttemptSpan(std::unique_ptr<Span> span, const routes::Route& route,
                    const http::HttpResult& result);

}  // namespace ipp::upstream
