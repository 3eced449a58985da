#pragma once

#include <string>

#include "absl/status/status.h"

namespace ipp::store {

// Writes a consistent copy of the SQLite store at `path` to `target`, also while a gateway runs on
// it, in another process. It only reads: commits go on meanwhile, and the write-ahead log grows
// until the copy is whole.
//
// SQLite before 3.51.3 may corrupt a database when one connection resets the write-ahead log while
// another commits (https://www.sqlite.org/wal.html, "the WAL-reset bug"): the connection here is
// read-only and never checkpoints.
//
// The copy is made under a name of its own, with mode 0600, checked (PRAGMA quick_check), brought
// to the disk, and then renamed. FAILED_PRECONDITION when `target` is there already, or `path` is
// no store of this gateway; nothing is left behind after an error.
absl::Status BackUpSqlite(const std::string& path, const std::string& target);

}  // namespace ipp::store
