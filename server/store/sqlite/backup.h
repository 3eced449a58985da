#pragma once

#include <string>

#include "absl/status/status.h"

namespace ipp::store {

// Writes a consistent copy of the SQLite store at `path` to `target`, also while a gateway in
// another process uses it. The copy only reads: commits continue meanwhile, and the write-ahead log
// grows until the copy is complete.
//
// SQLite before 3.51.3 may corrupt a database when one connection resets the write-ahead log while
// another commits (https://www.sqlite.org/wal.html, "the WAL-reset bug"). The connection here is
// therefore read-only and never checkpoints.
//
// The copy is made under a temporary name with mode 0600, checked (PRAGMA quick_check), synced to
// the disk, and then given its name without replacing another file. FAILED_PRECONDITION when
// `target` exists, or `path` is not a store of this gateway. Nothing is left behind after an error.
absl::Status BackUpSqlite(const std::string& path, const std::string& target);

}  // namespace ipp::store
