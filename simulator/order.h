#pragma once

#include "simulator/fields.h"
#include "simulator/session.h"

namespace ipp::simulator {

// Reads a session from the body of its creation and validates it: required fields, formats, and the
// arithmetic that the real service is known to check: unit_price x quantity - discount of each
// line, and the sum of the lines. `strict_tax` also checks the tax of each line, which shops that
// use this API are known to get past: a fee over goods of two rates, 8.875 % as 888 basis points.
// Errors are noted behind `fields`.
Session ReadOrder(Fields& fields, bool strict_tax);

}  // namespace ipp::simulator
