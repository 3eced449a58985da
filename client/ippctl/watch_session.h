#pragma once

#include "client/ippctl/command.h"

namespace ipp::ippctl {

// `sessions watch`: prints every step of a session up to its end. A broken connection is opened
// again after growing pauses, with a message on stderr; no step is printed twice.
int WatchSession(Invocation& invocation);

}  // namespace ipp::ippctl
