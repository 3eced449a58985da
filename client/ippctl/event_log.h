#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/ippctl/command.h"
#include "client/ippctl/flags.h"
#include "ippclient/event_subscription.h"
#include "kustom/ipp/v1/session_event.pb.h"

// Shared by the commands that read the event log.
namespace ipp::ippctl {

// --session, --device, --type, --reference, --only-merchant.
std::vector<Flag> FilterFlags();
kustom::ipp::v1::SessionEventFilter Filter(const FlagValues& flags);

// The table of events.
std::vector<Column> EventColumns();

// --after, --from, --since, --skip-expired, --cursor-file.
std::vector<Flag> StartFlags();

// --since, of list and tail.
Flag SinceFlag();

// Sets the start of a stream by those flags; without any, now. `kept` is the content of the cursor
// file; if it is not empty it takes precedence over --from and --since. The error is for the user.
absl::Status FillStart(const FlagValues& flags, const std::string& kept,
                       kustom::ipp::v1::SubscribeSessionEventsRequest* request);

// "oldest", "now" or RFC 3339, on whose behalf: "--from".
absl::StatusOr<absl::Time> ParseTimeFlag(absl::string_view flag, const std::string& text);

// The line about a stream that broke: "ippctl: UNAVAILABLE: gone; again in 250ms\n".
std::string DescribeReconnect(const Invocation& invocation, const grpc::Status& status,
                              absl::Duration retry_in);

}  // namespace ipp::ippctl
