#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "kustom/ipp/v1/annotations.pb.h"
#include "server/base/error.h"
#include "server/http/http_transport.h"

// The only place where the upstream's answers are converted to errors.
namespace ipp::upstream {

// How a call failed, and what is known of its outcome. `status` carries ErrorInfo with outcome,
// retry_safe and http_status.
struct Failure {
  absl::Status status;
  Outcome outcome = Outcome::kUnknown;
  bool retriable = false;                     // a read may be retried
  std::optional<absl::Duration> retry_after;  // the wait that the upstream asked for
};

// For an answer whose code is not one of the route's successes. The `secrets` are removed from all
// text of the upstream. If the answer has a `correlation_id`, by which the upstream can find the
// request in its log, the metadata has it too. `now`: see ParseRetryAfter.
Failure FromResponse(const http::HttpResponse& response, kustom::ipp::v1::Repeat repeat,
                     absl::string_view body_field, const std::vector<std::string>& secrets,
                     absl::Time now);

// For a request that got no complete answer.
Failure FromTransport(const http::HttpResult& result, kustom::ipp::v1::Repeat repeat);

// For a success whose body cannot be read. `why` names a field, never a value. If the body is HTML
// or XML, the error says so instead.
Failure FromMalformedAnswer(const http::HttpResponse& response, kustom::ipp::v1::Repeat repeat,
                            absl::string_view why, const std::vector<std::string>& secrets);
Failure FromMalformedAnswer(int http_code, kustom::ipp::v1::Repeat repeat, absl::string_view why);

// For a success whose answer is about a different resource than the requested one. It does not show
// what happened to the requested one.
Failure FromForeignAnswer(int http_code, kustom::ipp::v1::Repeat repeat);

}  // namespace ipp::upstream
