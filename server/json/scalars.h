#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "server/json/message_json.h"

// Visits the scalars of JSON whose structure is not known: error bodies of other systems. Pure.
namespace ipp::json {

// One step from the root to a value: the key of a member, or the index in an array.
struct Step {
  absl::string_view key;
  int index = -1;  // 0 or more: an array element, without a key
};

// The path is empty if the text is a single scalar. All views are valid during the call only.
using VisitScalar = absl::FunctionRef<void(absl::Span<const Step> path, absl::string_view value)>;

// Calls `visit` for each string (unescaped), number and boolean, in the order of the text, but not
// for null or for a string that is not UTF-8. InvalidArgument, naming a position and no value, if
// the text is not JSON or exceeds the limits of `options`; what precedes the error has been visited
// then.
absl::Status VisitScalars(absl::string_view text, VisitScalar visit,
                          const ReadOptions& options = {});

}  // namespace ipp::json
