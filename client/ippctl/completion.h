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

std::string FishCompletion(const std::vector<Command>& commands,
                           const std::vector<Flag>& global_flags);

// What is offered for a word of a command: "@devices" (asked by `completion words-devices`), words
// separated by spaces, or nothing.
std::string WordOffers(absl::string_view word);

// The hidden commands that print what can be offered: an id and a tab and what it is, one a line.
std::vector<Command> CompletionWordCommands();

}  // namespace ipp::ippctl
