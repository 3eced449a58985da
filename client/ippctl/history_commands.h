#pragma once

#include <vector>

#include "client/ippctl/command.h"

namespace ipp::ippctl {

// Commands that show what the gateway keeps.
//
// `sessions list`, `sessions explain`.
std::vector<Command> SessionSearchCommands();
// `report day`.
std::vector<Command> ReportCommands();
// `subscriptions …`.
std::vector<Command> SubscriptionCommands();
// `events receive`.
Command ReceiveCommand();

}  // namespace ipp::ippctl
