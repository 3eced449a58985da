#pragma once

#include <vector>

#include "client/ippctl/command.h"

namespace ipp::ippctl {

// `sessions list`, `sessions explain`.
std::vector<Command> SessionSearchCommands();
// `report day`.
std::vector<Command> ReportCommands();

}  // namespace ipp::ippctl
