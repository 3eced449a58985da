#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/ippctl/command.h"

// What ippctl says about itself, made from the commands' declarations. No line is longer than 80
// columns.
namespace ipp::ippctl {

// "ippctl sessions get SESSION_ID".
std::string Usage(const Command& command);

// Help for everything, or for one group.
std::string Overview(const std::vector<Command>& commands, absl::string_view group);

std::string Help(const Command& command);

// `line` broken before flags into lines that a shell joins again; those after the first begin with
// `indent` spaces.
std::string BrokenCommandLine(absl::string_view line, size_t width, size_t indent);

// Texts that belong to no single command: "output", "exit-codes", "configuration". Empty for any
// other word.
std::string HelpTopic(absl::string_view topic);
std::vector<std::string> HelpTopics();

}  // namespace ipp::ippctl
