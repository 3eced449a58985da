#pragma once

#include <string>

#include "absl/status/status.h"
#include "server/config/config.pb.h"

// The offline tools of the program: --backup and --copy-store. The error's message is one line for
// the operator.
namespace ipp {

// Writes a consistent copy of the SQLite store that `config` names; works while a gateway uses it.
absl::Status BackUpStore(const config::Config& config, const std::string& target);

// Copies the SQLite store in the file `source` into the empty PostgreSQL database that `config`
// names.
absl::Status CopyStore(const config::Config& config, const std::string& source);

}  // namespace ipp
