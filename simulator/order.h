#pragma once

#include "simulator/fields.h"
#include "simulator/session.h"

namespace ipp::simulator {

// Reads a session from the body of its creation and validates it: required fields, formats, the
// arithmetic of each line, and the totals. Errors are noted behind `fields`.
Session ReadOrder(Fields& fields);

}  // namespace ipp::simulator
