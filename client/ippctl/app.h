#pragma once

#include <string>
#include <vector>

#include "client/ippctl/command.h"

namespace ipp::ippctl {

// The whole of ippctl: `args` without the program's name. Returns the exit code (see ExitCode).
int RunIppctl(std::vector<std::string> args, const Environment& environment);

}  // namespace ipp::ippctl
