#include "client/ippctl/watch_session.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/time/clock.h"
#include "client/ippctl/event_log.h"
#include "client/ippctl/pause.h"
#include "client/ippctl/render.h"
#include "kustom/ipp/v1/session.grpc.pb.h"

namespace ipp::ippctl {
namespace {

namespace v1 = ::kustom::ipp::v1;
using Service = v1::SessionService;

constexpr absl::Duration kFirstPause = absl::Milliseconds(250);
constexpr absl::Duration kLongestPause = absl::Seconds(30);

// Whether the same call may succeed later. An error with a reason is the gateway's; one without is
// gRPC's, about a connection that is missing or broke.
bool RetryHeals(const client::Error& error) {
  switch (error.code) {
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return true;
    case grpc::StatusCode::CANCELLED:
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::UNKNOWN:
      return error.reason.empty();
    default:
      return false;
  }
}

class Watch {
 public:
  Watch(Invocation* invocation, v1::WatchSessionRequest request)
      : invocation_(*invocation), request_(std::move(request)) {}

  int Run() {
    Backoff backoff(kFirstPause, kLongestPause);
    while (true) {
      const grpc::Status status = Follow(&backoff);
      if (status.ok() || invocation_.interrupt()->triggered()) return kExitOk;
      if (!invocation_.out()) return kExitOther;
      const client::Error error = client::DecodeError(status);
      if (!RetryHeals(error)) return invocation_.Fail(status);
      const absl::Duration wait =
          std::max(backoff.Next(), error.retry_delay.value_or(absl::ZeroDuration()));
      invocation_.err() << DescribeReconnect(status, wait);
      broken_ = true;
      Pause pause;
      const OnInterrupt stop(invocation_.interrupt(), [&pause] { pause.Stop(); });
      if (!pause.For(wait)) return kExitOk;
    }
  }

 private:
  // One stream, to its end.
  grpc::Status Follow(Backoff* backoff) {
    grpc::ClientContext context;
    const auto stub = Service::NewStub(invocation_.channel());
    const OnInterrupt cancel(invocation_.interrupt(), [&context] { context.TryCancel(); });
    const auto reader = stub->WatchSession(&context, request_);
    v1::WatchSessionResponse step;
    bool first = true;  // the state as it is; then every step
    while (reader->Read(&step)) {
      backoff->Reset();
      if (std::exchange(broken_, false)) invocation_.err() << "ippctl: connected again\n";
      if (step.heartbeat()) continue;
      const bool same = last_status_ == step.session().status();
      if (!first || !same) Print(step, same);
      last_status_ = step.session().status();
      first = false;
      // The output has no reader any more.
      if (!invocation_.out()) context.TryCancel();
    }
    return reader->Finish();
  }

  // A step that leaves the status as it was is an attempt to pay that failed.
  void Print(const v1::WatchSessionResponse& step, bool attempt) {
    if (invocation_.json()) {
      invocation_.PrintJson(step, true);
    } else {
      invocation_.out() << RenderStep(step, attempt, absl::Now()) << std::flush;
    }
  }

  Invocation& invocation_;
  const v1::WatchSessionRequest request_;
  std::optional<v1::SessionStatus> last_status_;  // printed
  bool broken_ = false;
};

}  // namespace

int WatchSession(Invocation& invocation) {
  const FlagValues& flags = invocation.flags();
  if (invocation.words().empty() != flags.Has("request-id")) {
    return invocation.Misused("give one of SESSION_ID and --request-id");
  }
  v1::WatchSessionRequest request;
  if (flags.Has("request-id")) {
    request.set_request_id(flags.Text("request-id"));
  } else {
    request.set_session_id(invocation.words()[0]);
  }
  return Watch(&invocation, std::move(request)).Run();
}

}  // namespace ipp::ippctl
