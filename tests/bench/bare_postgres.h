#pragma once

#include <memory>
#include <string>

#include "tests/bench/store_load.h"

namespace ipp::bench {

// The rows of the store's transactions, straight through libpq: its schema in an empty database,
// its prepared statements that write, its arrays, `batch` events a commit and a round trip.
std::unique_ptr<Writer> NewBarePostgres(const std::string& conninfo, int batch);

}  // namespace ipp::bench
