#pragma once

#include <memory>
#include <string>

#include "tests/bench/store_load.h"

namespace ipp::bench {

// The rows of the store's transactions, straight into sqlite3: its schema, its settings, its
// statements that write, `batch` events a commit.
std::unique_ptr<Writer> NewBareSqlite(const std::string& path, int batch);

}  // namespace ipp::bench
