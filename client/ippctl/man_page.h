#pragma once

#include <string>
#include <vector>

#include "client/ippctl/command.h"

namespace ipp::ippctl {

// The manual page ippctl(1), in roff's man macros, made from the commands' declarations.
std::string ManPage(const std::vector<Command>& commands, const std::vector<Flag>& global_flags);

}  // namespace ipp::ippctl
