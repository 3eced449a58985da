#pragma once

#include <string>

#include "server/web/router.h"
#include "server/webhook/receiver.h"

namespace ipp::webhook {

// What the webhook port serves: POST at `path`, which becomes a Delivery for `receiver`; its answer
// is the response. Thread-safe; `receiver` must outlive the listener that runs it.
web::Router Front(std::string path, Receiver* receiver);

}  // namespace ipp::webhook
