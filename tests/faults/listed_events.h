#pragma once

#include <string>

#include "tests/faults/history.h"

namespace ipp::faults {

// The whole log by ListSessionEvents, page by page. Errors are among the complaints.
Observation ListEvents(const std::string& gateway, const std::string& name);

}  // namespace ipp::faults
