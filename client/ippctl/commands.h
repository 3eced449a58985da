#pragma once

#include <vector>

#include "client/ippctl/command.h"

namespace ipp::ippctl {

// What every command takes.
std::vector<Flag> GlobalFlags();

// Every command; those of a group stand together.
std::vector<Command> AllCommands();

}  // namespace ipp::ippctl
