#pragma once

#include <string>

#include "absl/status/status.h"
#include "server/config/config.pb.h"

// What the program does to a store instead of serving: --backup and --copy-store. The error's
// message is one line for who started it.
namespace ipp {

// A consistent copy of the SQLite store that `config` names, also while a gateway runs on it.
absl::Status BackUpStore(const config::Config& config, const std::string& target);

// Moves the SQLite store in the file `source` into the empty PostgreSQL database that `config`
// names.
absl::Status CopyStore(const config::Config& config, const std::string& source);

}  // namespace ipp
