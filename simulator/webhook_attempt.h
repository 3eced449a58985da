#pragma once

#include <string>

#include "simulator/fault_rule.h"
#include "simulator/webhook_signer.h"
#include "simulator/webhook_transport.h"

namespace ipp::simulator {

// What is sent in one try: the body, stamped with the real time and signed, unless `fault` (null:
// none) spoils it.
WebhookRequest MakeAttempt(const Url& url, const std::string& webhook_id, const std::string& body,
                           const WebhookSigner& signer, const FaultRule* fault);

}  // namespace ipp::simulator
