#pragma once

// All of the library. Link `ippclient::ippclient`.
#include "ippclient/connection.h"          // IWYU pragma: export
#include "ippclient/consumer.h"            // IWYU pragma: export
#include "ippclient/create.h"              // IWYU pragma: export
#include "ippclient/error.h"               // IWYU pragma: export
#include "ippclient/event_reader.h"        // IWYU pragma: export
#include "ippclient/event_subscription.h"  // IWYU pragma: export
#include "ippclient/payment.h"             // IWYU pragma: export
#include "ippclient/place.h"               // IWYU pragma: export
#include "ippclient/stop_on_signals.h"     // IWYU pragma: export
#include "ippclient/version.h"             // IWYU pragma: export
