#pragma once

#include <exception>
#include <string>

#include "ippclient/consumer.h"
#include "kustom/ipp/v1/shared_subscription.pb.h"

namespace ipp::client {

// What becomes of the event: what the handler says, or a retry with the type of what it threw.
kustom::ipp::v1::Settlement SettlementBy(const Consumer::Handler& handler, Delivery& delivery);

// The name of the type of what was thrown, as in the source: "std::runtime_error". Call it in a
// catch block.
std::string ThrownType();

}  // namespace ipp::client
