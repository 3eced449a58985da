#pragma once

#include <istream>

#include "absl/status/statusor.h"
#include "client/ippctl/flags.h"
#include "kustom/ipp/v1/session.pb.h"

namespace ipp::ippctl {

// The flags of `sessions create`.
std::vector<Flag> CreateSessionFlags();

// Builds the request from these flags. `in` is standard input, for --from-json -. The error is for
// the user.
absl::StatusOr<kustom::ipp::v1::CreateSessionRequest> BuildCreateSession(const FlagValues& flags,
                                                                         std::istream& in);

}  // namespace ipp::ippctl
