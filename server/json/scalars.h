#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "server/json/message_json.h"

// A look at JSON whose form is not known: other people's error bodies. Pure.
namespace ipp::json {

// One step from the root to a value: the key of a member, or the place in an array.
struct Step {
  absl::string_view key;
  int index = -1;  // 0 or more: an array's element; then there is no key
};

// The path is empty for a text that is one scalar. All views end with the call.
using VisitScalar = absl::FunctionRef<void(absl::Span<const Step> path, absl::string_view value)>;

// Calls `visit` for each string (unescaped), number and boolean, in the order of the text; not for
// null, nor for a string that is not UTF-8. InvalidArgument, naming a position and no value, for a
// text that is not JSON or is over the limits of `options`; what came before was visited then.
absl::Status VisitScalars(absl::string_view text, VisitScalar visit,
                          const ReadOptions& options = {});

}  // namespace ipp::json
