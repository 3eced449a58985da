#pragma once

#include <string>

#include "simulator/dialects.h"
#include "simulator/fault_rule.h"
#include "simulator/webhook_signer.h"
#include "simulator/webhook_transport.h"

namespace ipp::simulator {

// Builds the request of one attempt: the body in the active dialects, stamped with the real time
// and signed, unless `fault` (null: none) corrupts it.
WebhookRequest MakeAttempt(const Url& url, const std::string& webhook_id,
                           const std::string& plain_body, const Dialects& dialects,
                           const WebhookSigner& signer, const FaultRule* fault);

}  // namespace ipp::simulator
