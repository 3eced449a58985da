#pragma once

#include <string>

#include "absl/status/status.h"

// Permissions of the files of a SQLite store. Their content (requests of creates, enrollment codes,
// order references) is for the account that runs the gateway only.
namespace ipp::store {

// Creates the database file when it is missing, readable by its owner only, whatever the umask is;
// SQLite gives the write-ahead log and its index the same mode. Existing files with wider
// permissions (from an earlier release, or restored by hand) are narrowed, and one line is logged.
// A file whose mode cannot be changed, as on a volume of another owner, is logged and used all the
// same.
absl::Status SecureSqliteFiles(const std::string& path);

}  // namespace ipp::store
