#pragma once

#include <string>

#include "tests/faults/history.h"

namespace ipp::faults {

// What the upstream has done is answered, also when it cannot be written down; then the gateway's
// log has a line, and the gateway knows the session as far as its webhooks come. Takes the promise
// of such answers back.
void NoteUnrecorded(const std::string& gateway_log, Ledger* ledger);

}  // namespace ipp::faults
