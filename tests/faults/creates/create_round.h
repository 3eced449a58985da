#pragma once

#include "absl/status/statusor.h"
#include "tests/faults/creates/cell.h"
#include "tests/faults/creates/create_bed.h"
#include "tests/faults/creates/record.h"

namespace ipp::faults {

// One round in a bed: what happened, for JudgeRound. An error: the bed itself does not work.
absl::StatusOr<RoundRecord> RunRound(CreateBed* bed, const Cell& cell);

}  // namespace ipp::faults
