#pragma once

#include "client/ippctl/command.h"

namespace ipp::ippctl {

// `sessions watch`: prints every step of a session up to its end. A broken connection is made
// again, with growing pauses and a word on stderr; what was printed is not printed again.
int WatchSession(Invocation& invocation);

}  // namespace ipp::ippctl
