#pragma once

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "google/protobuf/message.h"
#include "server/base/trace_context.h"
#include "server/routes/route_table.h"
#include "server/upstream/upstream_client.h"

namespace ipp::upstream {

// One call to the gateway, as seen by a flow of several upstream requests that works for it: the
// flow need not know gRPC. Thread-safe. Lives until Finish; the flow does not delete it.
class ServedCall {
 public:
  virtual const TraceContext& trace() const = 0;
  // The caller has gone, or its deadline has passed.
  virtual bool cancelled() const = 0;

  // UpstreamClient::Start, for this call: the request is cancelled when the caller goes away.
  // `then` runs exactly once, whatever the end, also before this returns.
  virtual void Start(const routes::Route& route, const google::protobuf::Message& request,
                     google::protobuf::Message* response, const CallContext& context,
                     absl::AnyInvocable<void(CallResult) &&> then) = 0;

  // Answers the caller, with the response when the status is OK. Exactly once, and last.
  virtual void Finish(const absl::Status& status) = 0;

 protected:
  ~ServedCall() = default;
};

}  // namespace ipp::upstream
