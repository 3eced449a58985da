#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "ippclient/error.h"

// How a failed call is reported to the user and to a script.
namespace ipp::ippctl {

// Exit codes, the class of the gRPC code.
enum ExitCode : int {
  kExitOk = 0,
  kExitOther = 1,
  kExitUsage = 2,
  kExitInvalid = 3,      // INVALID_ARGUMENT, OUT_OF_RANGE, FAILED_PRECONDITION
  kExitNotFound = 4,     // NOT_FOUND
  kExitDenied = 5,       // PERMISSION_DENIED, UNAUTHENTICATED
  kExitUnavailable = 6,  // UNAVAILABLE, DEADLINE_EXCEEDED
  kExitUnknown = 7,      // it may or may not have been done, whatever the code
  kExitNotPaid = 8,      // a watched payment was not made; only when that was asked for
};

// What was attempted: for a call that must happen at most once the advice differs.
struct Attempt {
  bool at_most_once = false;
  std::string request_id = "";  // of a create; empty: the call has none
};

// The way to the gateway, for the likely cause of a connection that fails.
struct Way {
  std::string address = "";
  bool tls = false;
};

// Fills in what the gateway could not say: an at-most-once call that ended without an answer
// (deadline, broken off, not available) has an unknown outcome.
client::Error WithVerdict(client::Error error, const Attempt& attempt);

ExitCode ExitCodeOf(const client::Error& error);

// One line; then the violations, one a line; outcome, whether a retry helps, what to do, order id,
// request id and trace id as far as known.
std::string DescribeError(const client::Error& error, const Attempt& attempt, const Way& way = {},
                          bool color = false);

// The same as one JSON object on one line: {"error":{"code":…}}.
std::string ErrorAsJson(const client::Error& error, const Attempt& attempt, const Way& way);

// What a library's words about a connection that was not made mean, and what is likely to be wrong.
// Empty for an error that the gateway itself answered, and for words that are not known.
std::string ConnectionTrouble(const client::Error& error, const Way& way);

}  // namespace ipp::ippctl
