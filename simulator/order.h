#pragma once

#include "simulator/fields.h"
#include "simulator/session.h"

namespace ipp::simulator {

// Reads what a session is made of from the body of its creation and checks it: required fields,
// formats, the arithmetic of each line, and that the lines add up. What is wrong is noted in the
// errors behind `fields`.
Session ReadOrder(Fields& fields);

}  // namespace ipp::simulator
