#pragma once

#include <string>
#include <vector>

#include "client/ippctl/command.h"

// Scripts that complete ippctl's command lines in a shell: groups, commands, flags, the words of
// flags with choices, files. They are made from the declarations and make no call.
namespace ipp::ippctl {

std::string BashCompletion(const std::vector<Command>& commands,
                           const std::vector<Flag>& global_flags);
std::string ZshCompletion(const std::vector<Command>& commands,
                          const std::vector<Flag>& global_flags);

}  // namespace ipp::ippctl
