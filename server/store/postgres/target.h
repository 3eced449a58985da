#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ipp::store {

// The files that say how to connect to a PostgreSQL database.
struct PostgresFiles {
  std::string dsn_file;
  std::string password_file;  // may be empty
};

// The purpose of a connection.
enum class PostgresRole { kWrite, kRead, kListen };

// One server to try, with all of libpq's parameters for it.
struct PostgresTarget {
  std::map<std::string, std::string> parameters;  // libpq's keywords
  std::chrono::milliseconds connect_timeout;
};

// Reads both files; they may have been replaced since the last call. Returns one target for each
// host of the connection string, in its order: without blocking, libpq would spend the whole time
// limit on the first host.
//
// The DSN file holds a connection string as libpq knows it, `key=value …` or a postgresql:// URI.
// Lines that begin with '#' are ignored, and the string may span several lines. The first line of
// the password file, unchanged, takes precedence over a password in the DSN. Defaults for what the
// DSN does not set:
//
// * `target_session_attrs`: read-write for a writer, primary for the others, so that of several
//   hosts the one that was promoted is found.
// * `sslmode`: verify-full, unless the host is a Unix socket or loopback. With this default,
//   `sslrootcert` defaults to the system's bundle of certificate authorities.
// * `connect_timeout`: 3 s. Keepalives and tcp_user_timeout, so that a dead peer is noticed in
//   about 10 s.
//
// Environment variables (PGHOST and so on) apply only where libpq would use them and no default
// above does. A `service` is refused, since it could change any of these. Errors name the file and
// never quote from it: libpq's own messages would, including parts of a password.
absl::StatusOr<std::vector<PostgresTarget>> ReadTargets(const PostgresFiles& files,
                                                        PostgresRole role);

}  // namespace ipp::store
