#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ipp::store {

// A database says, beside the version of its schema, from which version on a release can use it:
// one that knows fewer versions, but at least so many, works with it as it is. So an update can be
// taken back without a restore, and a replica of the release before goes on while others are
// replaced.
//
// A step that an older release can live with adds a table, an index, or a column with a default,
// and changes the meaning of nothing that is there. A step that is more than that must raise this
// `usable_from` to the version that it makes.
struct Usable {
  int64_t said_from;    // the step to this version adds the place where the number is kept
  int64_t usable_from;  // the number
};

// Whether a release that knows versions up to `known` can use a schema of the later version
// `version`. OK, and a line in the log, or FAILED_PRECONDITION. `usable_from` reads the number; it
// is called only if this release knows where it is kept.
absl::Status CheckNewerSchema(int64_t version, int64_t known, const Usable& usable,
                              absl::FunctionRef<absl::StatusOr<int64_t>()> usable_from);

}  // namespace ipp::store
