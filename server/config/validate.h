#pragma once

#include <vector>

#include "server/base/error.h"
#include "server/config/config.pb.h"

namespace ipp::config {

// Every rule that `config` breaks, in the order of the keys.
std::vector<FieldViolation> FindViolations(const Config& config);

}  // namespace ipp::config
