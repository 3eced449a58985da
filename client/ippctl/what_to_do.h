#pragma once

#include <string>
#include <vector>

#include "ippclient/error.h"

namespace ipp::ippctl {

// Whether the same call may succeed when it is made again.
enum class Retry {
  kHelps,         // later, as it is
  kCorrectFirst,  // not before the request or the caller's set-up is changed
  kOperator,      // not before an operator has changed something
  kNotNeeded,     // what was wanted is done, or cannot be done any more
};

struct Remedy {
  std::string reason = "";  // of the error, as docs/when-a-call-fails.md lists them
  Retry retry = Retry::kHelps;
  std::string what_to_do = "";
};

// One row for each reason.
const std::vector<Remedy>& Remedies();

// The row of the error's reason; one that goes by the gRPC code for an error without a known
// reason.
Remedy RemedyFor(const client::Error& error);

}  // namespace ipp::ippctl
