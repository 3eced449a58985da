#pragma once

#include <string>

#include "simulator/dialects.h"
#include "simulator/fault_rule.h"
#include "simulator/webhook_signer.h"
#include "simulator/webhook_transport.h"

namespace ipp::simulator {

// What is sent in one try: the body in the dialects in force, stamped with the real time and
// signed, unless `fault` (null: none) spoils it.
WebhookRequest MakeAttempt(const Url& url, const std::string& webhook_id,
                           const std::string& plain_body, const Dialects& dialects,
                           const WebhookSigner& signer, const FaultRule* fault);

}  // namespace ipp::simulator
