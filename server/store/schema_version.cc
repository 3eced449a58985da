#include "server/store/schema_version.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/base/status_macros.h"

namespace ipp::store {

absl::Status CheckNewerSchema(int64_t version, int64_t known, const Usable& usable,
                              absl::FunctionRef<absl::StatusOr<int64_t>()> usable_from) {
  std::string needed;
  if (known >= usable.said_from) {
    IPP_ASSIGN_OR_RETURN(const int64_t from, usable_from());
    if (from <= known) {
      LogInfo("the store's schema is of a newer release, which this one can use",
              {{"version", absl::StrCat(version)}, {"known", absl::StrCat(known)}});
      return absl::OkStatus();
    }
    needed = absl::StrCat(" and must know ", from);
  }
  return absl::FailedPreconditionError(
      absl::StrCat("it was written by a newer release: its schema has version ", version,
                   ", this release knows up to ", known, needed));
}

}  // namespace ipp::store
