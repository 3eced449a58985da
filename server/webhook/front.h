#pragma once

#include <string>

#include "server/web/router.h"
#include "server/webhook/receiver.h"

namespace ipp::webhook {

// The routes of the webhook port: POST at `path` becomes a Delivery for `receiver`, whose answer is
// the response. Thread-safe; `receiver` must outlive the listener that runs the router.
web::Router Front(std::string path, Receiver* receiver);

}  // namespace ipp::webhook
