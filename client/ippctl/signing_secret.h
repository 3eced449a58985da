#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace ipp::ippctl {

struct SigningKeys {
  std::vector<std::string> keys;  // at least one
  bool made = false;              // the file was created with a new secret
};

// Reads the keys of the `whsec_…` secrets in the file, one per line; all of them sign, as during a
// rotation. A missing file is created with one random secret, readable by its owner only. Errors
// name the file and nothing of its content.
absl::StatusOr<SigningKeys> ReadOrMakeSigningKeys(const std::string& path);

}  // namespace ipp::ippctl
