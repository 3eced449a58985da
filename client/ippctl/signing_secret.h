#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace ipp::ippctl {

struct SigningKeys {
  std::vector<std::string> keys;  // one at least
  bool made = false;              // the file was not there, and now holds a fresh secret
};

// The keys of the `whsec_…` secrets in the file, one a line; all of them sign, as during a
// rotation. A file that is not there is made, with one random secret, readable by its owner alone.
// Errors name the file and nothing of what is in it.
absl::StatusOr<SigningKeys> ReadOrMakeSigningKeys(const std::string& path);

}  // namespace ipp::ippctl
