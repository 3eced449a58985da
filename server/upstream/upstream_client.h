#pragma once

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "google/protobuf/message.h"
#include "server/base/clock.h"
#include "server/base/error.h"
#include "server/base/metrics.h"
#include "server/base/scheduler.h"
#include "server/base/trace_context.h"
#include "server/base/tracer.h"
#include "server/http/http_transport.h"
#include "server/routes/route_table.h"
#include "server/upstream/credentials.h"
#include "server/upstream/retry.h"

namespace ipp::upstream {

// The merchant, the trace and the deadline of a call.
struct CallContext {
  std::string merchant_id;
  TraceContext trace;  // sent with every attempt; empty: a new trace
  absl::Time deadline;
};

struct CallResult {
  absl::Status status;                  // rich (server/base/error.h)
  Outcome outcome = Outcome::kNotSent;  // whether the call was executed
  routes::PageEnvelope page;            // of a paged route
  // The request_id of the create that made the session in the answer, if the session has a marker
  // (correlation.h).
  std::string request_id = {};
};

struct UpstreamOptions {
  absl::Duration timeout = absl::Seconds(10);  // of one attempt
  RetryPolicy retry;
  Tracer* tracer = nullptr;  // borrowed; null: attempts have no spans
};

// Typed calls to the REST API: converts the request, sends it, retries reads, converts the answer.
// Thread-safe; borrows its arguments and must outlive every call. Destroying the transport first
// ends every call.
class UpstreamClient {
 public:
  using Done = absl::AnyInvocable<void(CallResult) &&>;

  UpstreamClient(http::HttpTransport* transport, const Credentials* credentials,
                 const routes::RouteTable* routes, Clock* clock, Scheduler* scheduler,
                 Metrics* metrics, UpstreamOptions options);
  ~UpstreamClient();

  // A handle whose only method is Cancel, which is harmless after the call has ended. A create of
  // which a byte was sent continues in spite of Cancel.
  using Call = http::HttpTransport::Call;

  // `route` must have a REST call. `response` is of the RPC's response type and must live until
  // `done` has run; `request` is not kept. `done` runs exactly once, never inside this call, on a
  // thread of the transport or of the scheduler.
  std::shared_ptr<Call> Start(const routes::Route& route, const google::protobuf::Message& request,
                              google::protobuf::Message* response, const CallContext& context,
                              Done done, std::optional<routes::PageQuery> page = std::nullopt);

 private:
  class Attempts;
  struct Shared;
  std::unique_ptr<Shared> shared_;
};

}  // namespace ipp::upstream
