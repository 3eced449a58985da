#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "kustom/ipp/v1/annotations.pb.h"
#include "server/base/error.h"
#include "server/http/http_transport.h"

// The one place where the upstream's answers become errors.
namespace ipp::upstream {

// What is known of the call, and how it failed. `status` carries ErrorInfo with outcome, retry_safe
// and http_status.
struct Failure {
  absl::Status status;
  Outcome outcome = Outcome::kUnknown;
  bool retriable = false;                     // a read may be tried again
  std::optional<absl::Duration> retry_after;  // how long the upstream asked to wait
};

// An answer whose code is not one of the route's successes. The `secrets` are struck out of
// everything that the upstream said. The metadata has the `correlation_id` by which the upstream
// finds the request in its log, when it says one. `now`: see ParseRetryAfter.
Failure FromResponse(const http::HttpResponse& response, kustom::ipp::v1::Repeat repeat,
                     absl::string_view body_field, const std::vector<std::string>& secrets,
                     absl::Time now);

// No whole answer.
Failure FromTransport(const http::HttpResult& result, kustom::ipp::v1::Repeat repeat);

// A success whose body cannot be read. `why` names a field, never a value; a body that is no JSON
// at all is named as what it is instead.
Failure FromMalformedAnswer(const http::HttpResponse& response, kustom::ipp::v1::Repeat repeat,
                            absl::string_view why, const std::vector<std::string>& secrets);
Failure FromMalformedAnswer(int http_code, kustom::ipp::v1::Repeat repeat, absl::string_view why);

// A success whose answer is about another resource than the one that was asked for. What became of
// the one asked for cannot be told from it.
Failure FromForeignAnswer(int http_code, kustom::ipp::v1::Repeat repeat);

}  // namespace ipp::upstream
