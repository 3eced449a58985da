#pragma once

#include <grpcpp/support/status.h>

#include "absl/strings/string_view.h"
#include "ippclient/error.h"

// Builds statuses in the gateway's form, for errors that the library reports itself.
namespace ipp::client {

// The same error with another outcome in its ErrorInfo, if it has one.
grpc::Status WithOutcome(const grpc::Status& status, Outcome outcome);

// An error with an ErrorInfo.
grpc::Status ErrorStatus(grpc::StatusCode code, absl::string_view message, absl::string_view reason,
                         Outcome outcome);

// The error of a request with a text that is not UTF-8 (client/utf8.h), which was not sent.
grpc::Status NotUtf8Status(absl::string_view field, Outcome outcome);

}  // namespace ipp::client
