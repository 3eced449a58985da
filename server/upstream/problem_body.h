#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/base/error.h"
#include "server/http/http_transport.h"

// Reads the body of an error from the upstream or from a proxy in between. The format of the real
// upstream is not documented, so all usual formats are accepted. Pure functions.
namespace ipp::upstream {

enum class BodyForm {
  kEmpty,
  kJson,   // an object or array
  kHtml,   // from a proxy, a firewall or a load balancer: the API never writes it
  kXml,    // likewise
  kText,   // declared as text/plain
  kOther,  // none of these
};

// All strings are unchanged input: not masked, of any length, perhaps not printable.
struct ProblemBody {
  BodyForm form = BodyForm::kEmpty;
  // The reason. From JSON: `detail` or a member with a similar meaning, and the texts that belong
  // to no field.
  std::string words;
  // The errors of fields, by field; at most kMaxFieldErrors.
  std::vector<FieldViolation> errors;
  // The id by which the upstream can find the request in its own log, from the body or a header. It
  // has only letters, digits and -_.:/+=, at most 128 of them; otherwise it is empty.
  std::string correlation_id;
};

inline constexpr size_t kMaxFieldErrors = 32;

// Reads JSON of these formats, alone or mixed, whatever the media type is:
//  * RFC 7807 (`title`, `detail`), with `errors` (also `violations`, `invalid-params`) as a map
//    from a field to a text or a list of texts, or as a list of texts or of objects that name a
//    field (`field`, `propertyName`, `name`, `path`, …) and a reason (`message`, `errorMessage`,
//    `reason`, …);
//  * `{"error_code", "error_messages": [...], "correlation_id"}`;
//  * `{"message"}`, `{"error", "error_description"}`, `{"error": {"message"}}`.
ProblemBody ReadProblemBody(const http::HttpResponse& response);

// A description such as "an HTML page, probably from a proxy or a firewall in between"; empty for
// kJson and kText.
absl::string_view FormName(BodyForm form);

}  // namespace ipp::upstream
