#pragma once

#include <string>
#include <vector>

#include "client/ippctl/command.h"

// Scripts that complete ippctl's command lines in a shell. They are made from the declarations and
// ask nobody: groups, commands, flags, the words of flags with choices, files.
namespace ipp::ippctl {

std::string BashCompletion(const std::vector<Command>& commands,
                           const std::vector<Flag>& global_flags);
std::string ZshCompletion(const std::vector<Command>& commands,
                          const std::vector<Flag>& global_flags);

}  // namespace ipp::ippctl
