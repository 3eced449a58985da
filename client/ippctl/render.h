#pragma once

#include <string>

#include "absl/time/time.h"
#include "client/ippctl/look.h"
#include "kustom/ipp/v1/device.pb.h"
#include "kustom/ipp/v1/session.pb.h"

// The contract's resources as text for a person. No secret is in any of them.
namespace ipp::ippctl {

std::string PlatformText(const kustom::ipp::v1::Device& device);
std::string StatusText(const kustom::ipp::v1::Session& session);
std::string RenderDevice(const kustom::ipp::v1::Device& device, const Look& look);
// Amounts in major and minor units. `request_id` and `replayed` are for the answer to a create.
std::string RenderSession(const kustom::ipp::v1::Session& session, const Look& look,
                          const std::string& request_id = "", bool replayed = false);
// One line of a watched session, ended by a newline. `attempt`: the step is a payment that failed.
// `heard_at`, since a step does not say when it was.
std::string RenderStep(const kustom::ipp::v1::WatchSessionResponse& step, bool attempt,
                       absl::Time heard_at, const Look& look);

}  // namespace ipp::ippctl
