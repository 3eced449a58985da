#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/base/error.h"
#include "server/http/http_transport.h"

// What an upstream, or something in between, says of an error. It is not known how the real one
// says it; so whatever is usual is understood. Pure.
namespace ipp::upstream {

enum class BodyForm {
  kEmpty,
  kJson,   // an object or array
  kHtml,   // from a proxy, a firewall or a load balancer: the API never writes it
  kXml,    // likewise
  kText,   // declared as text/plain
  kOther,  // none of these
};

// All strings are as they came: not masked, of any length, perhaps not printable.
struct ProblemBody {
  BodyForm form = BodyForm::kEmpty;
  // The reason. Of JSON: `detail`, or what others call it, and what is said of no field.
  std::string words;
  // What is said of fields, by field; at most kMaxFieldErrors.
  std::vector<FieldViolation> errors;
  // By which the upstream finds the request in its own log; from the body or a header. Only of
  // letters, digits and -_.:/+=, at most 128 of them; else empty.
  std::string correlation_id;
};

inline constexpr size_t kMaxFieldErrors = 32;

// Reads JSON of these forms, alone or mixed, whatever the media type says:
//  * RFC 7807 (`title`, `detail`), with `errors` (also `violations`, `invalid-params`) as a map
//  from
//    a field to a text or a list of texts, or as a list of texts or of objects that name a field
//    (`field`, `propertyName`, `name`, `path`, …) and a reason (`message`, `errorMessage`,
//    `reason`, …);
//  * `{"error_code", "error_messages": [...], "correlation_id"}`;
//  * `{"message"}`, `{"error", "error_description"}`, `{"error": {"message"}}`.
ProblemBody ReadProblemBody(const http::HttpResponse& response);

// "an HTML page, probably from a proxy or a firewall in between" and the like; empty for kJson and
// kText.
absl::string_view FormName(BodyForm form);

}  // namespace ipp::upstream
