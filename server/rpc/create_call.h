#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "google/protobuf/message.h"
#include "server/rpc/unary_call.h"
#include "server/sessions/create_ledger.h"
#include "server/upstream/upstream_client.h"

namespace ipp::rpc {

// How one kind of create differs from the others.
struct CreateShape {
  // What is sent upstream for the caller's request; absent: the request itself.
  std::function<std::unique_ptr<google::protobuf::Message>(UnaryCall*)> outgoing = nullptr;
  // A 2xx whose answer does not say what was made: nothing is known then.
  std::function<bool(const google::protobuf::Message& response)> says_what_was_made = nullptr;
  // Writes down that it was done, with its answer; by default in the ledger alone. It may be tried
  // again when the call is long over.
  std::function<sessions::CreateLedger::Write(UnaryCall*, const std::string& merchant_id,
                                              const google::protobuf::Message& response)>
      record = nullptr;
  // How long an unknown outcome is waited for, within the caller's deadline; zero: what was made
  // cannot turn up by itself.
  absl::Duration settle_wait = absl::ZeroDuration();
};

// The work of an RPC that creates: through the ledger, so that it is done at most once for a
// request_id. Finishes the call.
//
// What was not sent is sent again while the deadline lasts. A caller that goes away ends nothing
// that has begun to leave.
void CreateOnce(UnaryCall* call, const google::protobuf::Message& request,
                google::protobuf::Message* response, CreateShape shape);

}  // namespace ipp::rpc
