#pragma once

#include <string>

#include "absl/status/status.h"

// The files of a SQLite store. What is in them (requests of creates, codes for enrollment, order
// references) is for the account that runs the gateway alone.
namespace ipp::store {

// Makes the database file when it is missing, for its owner alone whatever the umask says; SQLite
// gives the write-ahead log and its index the same mode. Files that are there and let others in
// (of an earlier release, or restored by hand) are narrowed, with one line in the log. What cannot
// be narrowed, as on a volume of another owner, is named there and used all the same.
absl::Status SecureSqliteFiles(const std::string& path);

}  // namespace ipp::store
