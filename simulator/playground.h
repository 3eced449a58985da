#pragma once

#include <string_view>
#include <vector>

#include "simulator/http.h"
#include "simulator/world.h"

namespace ipp::simulator {

// The playground's operations (/ipp/v1/dev/) after the merchant is known. The virtual terminal does
// the same without a key.

// Every outcome of a tap, SUCCESS first.
const std::vector<std::string_view>& TapOutcomes();

// A card is held to the phone: 200 with the session, or 409 if that is final. `outcome` must be one
// of TapOutcomes, and the session settled.
Response Tap(World& world, Session& session, std::string_view outcome);

// 201 with a device made of the request's body.
Response CreateSimulatedDevice(World& world, Merchant& merchant, const Request& request);

}  // namespace ipp::simulator
