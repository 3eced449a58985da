#pragma once

#include <string>
#include <string_view>

#include "simulator/json_writer.h"
#include "simulator/world.h"

namespace ipp::simulator {

// The objects of the API as JSON. A session shows null for what it has not; the others do so where
// the contract allows null, and leave the key out elsewhere.
void Render(const Location& location, JsonWriter& json);
void Render(const Enrollment& enrollment, Time now, JsonWriter& json);
std::string RenderSession(const Session& session);
std::string RenderEvent(const WebhookEvent& event, const Session& session,
                        std::string_view failure_reason);

// With a bearer token the device carries its credentials: only right after its registration.
void Render(const Device& device, JsonWriter& json, std::string_view bearer_token = {});

}  // namespace ipp::simulator
