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
      if (status.ok() || invocation_.interrupt()->triggered()) return ExitCode();
      if (!invocation_.out()) return kExitOther;
      const client::Error error = client::DecodeError(status);
      if (!RetryHeals(error)) return invocation_.Fail(status);
      const absl::Duration wait =
          std::max(backoff.Next(), error.retry_delay.value_or(absl::ZeroDuration()));
      invocation_.err() << DescribeReconnect(invocation_, status, wait);
      broken_ = true;
      Pause pause;
      const OnInterrupt stop(invocation_.interrupt(), [&pause] { pause.Stop(); });
      if (!pause.For(wait)) return ExitCode();
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
      if (step.heartbeat()) {
        SayReady();
        continue;
      }
      const bool same = last_status_ == step.session().status();
      if (!first || !same) Print(step, same);
      last_status_ = step.session().status();
      first = false;
      if (!IsFinal()) SayReady();
      // The output has no reader any more.
      if (!invocation_.out()) context.TryCancel();
    }
    return reader->Finish();
  }

  // Once: nothing more comes for a while, and that is no fault.
  void SayReady() {
    if (std::exchange(said_ready_, true)) return;
    invocation_.Note(last_status_ ? "ready, waiting for the next step"
                                  : "ready, waiting for the session to be created");
  }

  bool IsFinal() const {
    switch (last_status_.value_or(v1::SESSION_STATUS_UNSPECIFIED)) {
      case v1::SESSION_STATUS_FINALIZED:
      case v1::SESSION_STATUS_CANCELLED:
      case v1::SESSION_STATUS_EXPIRED:
      case v1::SESSION_STATUS_FAILED:
        return true;
      default:
        return false;
    }
  }

  int ExitCode() const {
    if (!invocation_.flags().Has("exit-status")) return kExitOk;
    if (!IsFinal()) return kExitUnknown;
    return last_status_ == v1::SESSION_STATUS_FINALIZED ? kExitOk : kExitNotPaid;
  }

  // A step that leaves the status as it was is an attempt to pay that failed.
  void Print(const v1::WatchSessionResponse& step, bool attempt) {
    invocation_.ShowNext(step, RenderStep(step, attempt, absl::Now(), invocation_.look()),
                         step.session().session_id());
  }

  Invocation& invocation_;
  const v1::WatchSessionRequest request_;
  std::optional<v1::SessionStatus> last_status_;  // printed
  bool broken_ = false;
  bool said_ready_ = false;
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
    // With an interval of ours heartbeats come also before the session is known.
    request.mutable_heartbeat_interval()->set_seconds(5);
  } else {
    request.set_session_id(invocation.words()[0]);
  }
  return Watch(&invocation, std::move(request)).Run();
}

}  // namespace ipp::ippctl
