#pragma once

#include <array>
#include <string>

#include "absl/time/time.h"
#include "kustom/ipp/v1/device.pb.h"
#include "kustom/ipp/v1/session.pb.h"
#include "kustom/ipp/v1/session_event.pb.h"

// The contract's resources as text for a person. No secret is in any of them.
namespace ipp::ippctl {

std::string PlatformText(const kustom::ipp::v1::Device& device);
std::string StatusText(const kustom::ipp::v1::Session& session);
std::string RenderDevice(const kustom::ipp::v1::Device& device);
// Amounts in major and minor units. `request_id` and `replayed` are for the answer to a create.
std::string RenderSession(const kustom::ipp::v1::Session& session,
                          const std::string& request_id = "", bool replayed = false);
// One line of a watched session, ended by a newline. `attempt`: the step is a payment that failed.
// `heard_at`, since a step does not say when it was.
std::string RenderStep(const kustom::ipp::v1::WatchSessionResponse& step, bool attempt,
                       absl::Time heard_at);
// One line, in columns that stay aligned from event to event as long as nothing is longer than
// usual.
std::string RenderEvent(const kustom::ipp::v1::SessionEvent& event);

// One line about a webhook that was sent: time, type, session, HTTP status, how long it took.
std::string RenderDelivery(const std::array<std::string, 5>& columns);

}  // namespace ipp::ippctl
