#pragma once

#include <set>
#include <string>

#include "tests/faults/history.h"

namespace ipp::faults {

// "CANCELLED of session 5b… by WEBHOOK (kevt_…)".
std::string Describe(const kustom::ipp::v1::SessionEvent& event);

// Sessions that the gateway knows: see Judge.
std::set<std::string> KnownSessions(const History& history);

}  // namespace ipp::faults
