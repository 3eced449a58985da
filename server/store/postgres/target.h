#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ipp::store {

// Where a PostgreSQL database is told.
struct PostgresFiles {
  std::string dsn_file;
  std::string password_file;  // may be empty
};

// What a connection is for.
enum class PostgresRole { kWrite, kRead, kListen };

// One server to try, with everything libpq needs to know of it.
struct PostgresTarget {
  std::map<std::string, std::string> parameters;  // libpq's keywords
  std::chrono::milliseconds connect_timeout;
};

// Reads both files anew: what they say may have been replaced. One target a host of the connection
// string, in its order: libpq, without blocking, would give the first host all the time there is.
//
// The DSN file holds a connection string as libpq knows it, `key=value …` or a postgresql:// URI;
// lines that begin with '#' are left out, and it may be broken into several lines. The first line
// of the password file, as it is, goes before a password of the DSN. What the DSN leaves open:
// * `target_session_attrs`: read-write for a writer, primary for the others, so that of several
// hosts
//   the one that was promoted is found.
// * `sslmode`: verify-full, unless the host is a Unix socket or loopback; then `sslrootcert`, when
//   missing too, is the system's bundle of certificate authorities.
// * `connect_timeout`: 3 s. Keepalives and tcp_user_timeout so that a dead peer is noticed in
//   about 10 s.
// The environment (PGHOST and so on) counts only where libpq would use it and we leave it open; a
// `service` is refused, since it could change any of these.
// Errors name the file and never quote from it: libpq's own would, parts of a password included.
absl::StatusOr<std::vector<PostgresTarget>> ReadTargets(const PostgresFiles& files,
                                                        PostgresRole role);

}  // namespace ipp::store
