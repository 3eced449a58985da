#pragma once

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "google/protobuf/message.h"
#include "server/base/trace_context.h"
#include "server/routes/route_table.h"
#include "server/upstream/upstream_client.h"

namespace ipp::upstream {

// One call to the gateway, as seen by code that needs several upstream requests to serve it. That
// code thus does not depend on gRPC. Thread-safe. Lives until Finish; the user does not delete it.
class ServedCall {
 public:
  virtual const TraceContext& trace() const = 0;
  // Whether the caller has gone or its deadline has passed.
  virtual bool cancelled() const = 0;

  // UpstreamClient::Start on behalf of this call: the request is cancelled if the caller goes away.
  // `then` runs exactly once in every case, possibly before this returns.
  virtual void Start(const routes::Route& route, const google::protobuf::Message& request,
                     google::protobuf::Message* response, const CallContext& context,
                     absl::AnyInvocable<void(CallResult) &&> then) = 0;

  // Answers the caller; sends the response if the status is OK. Must be called exactly once, last.
  virtual void Finish(const absl::Status& status) = 0;

 protected:
  ~ServedCall() = default;
};

}  // namespace ipp::upstream
