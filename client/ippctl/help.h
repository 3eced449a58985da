#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/ippctl/command.h"

// What ippctl says about itself, made from the commands' declarations.
namespace ipp::ippctl {

// Help for everything, or for one group.
std::string Overview(const std::vector<Command>& commands, absl::string_view group);

std::string Help(const Command& command);

// Texts that belong to no single command: "exit-codes", "configuration". Empty for any other word.
std::string HelpTopic(absl::string_view topic);
std::vector<std::string> HelpTopics();

}  // namespace ipp::ippctl
