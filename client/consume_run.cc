#include "client/consume_run.h"

#include <unistd.h>

#include <array>
#include <chrono>
#include <optional>
#include <utility>

#include "client/create_tries.h"
#include "client/handled.h"
#include "client/handler_pool.h"
#include "client/proto_duration.h"

namespace ipp::client {
namespace {

namespace v1 = ::kustom::ipp::v1;

// Source: shared_subscription.proto.
constexpr int kDefaultInFlight = 16;
constexpr absl::Duration kDefaultLease = absl::Seconds(30);

std::string HostName() {
  std::array<char, 129> name = {};  // as long as the contract allows
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

ConsumerOptions Filled(ConsumerOptions options) {
  if (options.consumer.empty()) options.consumer = HostName();
  if (options.max_in_flight == 0) options.max_in_flight = kDefaultInFlight;
  if (options.parallel <= 0) options.parallel = options.max_in_flight;
  return options;
}

StreamRules RulesOf(const ConsumerOptions& options) {
  return {.silence_limit = kMissedHeartbeats * options.heartbeat,
          .skips_expired = options.skip_expired,
          .first_pause = options.initial_backoff,
          .longest_pause = options.max_backoff};
}

v1::ReceiveSessionEventsRequest RequestOf(const ConsumerOptions& options) {
  v1::ReceiveSessionEventsRequest request;
  request.set_subscription(options.subscription.name());
  request.set_max_in_flight(options.max_in_flight);
  request.set_consumer(options.consumer);
  if (options.skip_expired) {
    request.set_on_cursor_expired(v1::CURSOR_EXPIRED_POLICY_SKIP_TO_OLDEST);
  }
  *request.mutable_heartbeat_interval() = ToProto(options.heartbeat);
  return request;
}

}  // namespace

ConsumeRun::ConsumeRun(std::shared_ptr<grpc::Channel> channel, ConsumerOptions options)
    : clock_(ClockAndRandom::OrReal(options.clock)),
      options_(Filled(std::move(options))),
      request_(RequestOf(options_)),
      stub_(v1::SharedSubscriptionService::NewStub(std::move(channel))),
      stream_(RulesOf(options_), &clock_,
              [this](grpc::ClientContext* context, grpc::ClientReadReactor<Message>* reactor) {
                Open(context, reactor);
              }),
      settler_(stub_.get(), options_) {}

void ConsumeRun::Cancel() {
  {
    MutexLock lock(&wake_.mutex);
    cancelled_ = true;
    wake_.changed.SignalAll();
  }
  stream_.Cancel();
  settler_.ReleaseWaiting();  // at once, not when the thread in Run comes to it
}

bool ConsumeRun::Cancelled() {
  MutexLock lock(&wake_.mutex);
  return cancelled_;
}

grpc::Status ConsumeRun::Run(const Consumer::Handler& handler) {
  if (options_.subscription.has_start()) {
    grpc::Status made = Make();
    if (!made.ok()) return made;
  }
  settler_.Start();
  HandlerPool pool(static_cast<size_t>(options_.parallel), &clock_,
                   [&](const std::shared_ptr<Lease>& lease) { Handle(handler, lease); });
  grpc::Status status = Receive([&](std::shared_ptr<Lease> lease) { pool.Add(std::move(lease)); });
  settler_.ReleaseWaiting();
  // What a handler uses is the caller's: it is waited for, however long it takes.
  if (!pool.WaitIdle(options_.stop_timeout)) settler_.StopExtending();
  pool.Finish();
  settler_.Close(options_.stop_timeout);
  return status;
}

template <typename Take>
grpc::Status ConsumeRun::Receive(Take take) {
  using Kind = StreamFollower<Message>::Step::Kind;
  absl::Duration length = kDefaultLease;
  while (true) {
    const auto step = stream_.Next(absl::InfiniteDuration());
    switch (step.kind) {
      case Kind::kMessage:
        if (step.message->has_started()) {
          const v1::ReceiveStarted& started = step.message->started();
          if (started.subscription().has_lease()) {
            length = FromProto(started.subscription().lease());
          }
          if (options_.on_started) options_.on_started(started);
        } else if (step.message->has_leased()) {
          take(settler_.Hold(step.message->leased(), length));
          if (Cancelled()) settler_.ReleaseWaiting();
        }
        break;
      case Kind::kBroken:
        if (options_.on_disconnected) options_.on_disconnected(step.status, step.retry_in);
        break;
      case Kind::kNothing:
        break;
      case Kind::kEnded:
        return step.status;
    }
  }
}

void ConsumeRun::Handle(const Consumer::Handler& handler, const std::shared_ptr<Lease>& lease) {
  if (!settler_.Begin(lease.get())) return;  // given back, or lost, before its turn
  Delivery delivery(lease, &settler_);
  settler_.Settle(lease, SettlementBy(handler, delivery));
}

void ConsumeRun::Open(grpc::ClientContext* context, grpc::ClientReadReactor<Message>* reactor) {
  if (options_.prepare) options_.prepare(context);
  stub_->async()->ReceiveSessionEvents(context, &request_, reactor);
}

grpc::Status ConsumeRun::Make() {
  const absl::Duration until = clock_.Now() + options_.make_timeout;
  CreateTries tries(options_.first_pause, options_.longest_pause);
  while (true) {
    grpc::Status status = TryToMake();
    if (status.ok() || Cancelled()) return grpc::Status::OK;
    const absl::Duration left = until - clock_.Now();
    // Made again with the same settings it is the same: what was late may be sent again.
    const bool late = status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
    const grpc::Status judged =
        late ? grpc::Status(grpc::StatusCode::UNAVAILABLE, status.error_message()) : status;
    const auto pause = tries.PauseAfter(judged, left, clock_.Random());
    if (!pause) return status;
    MutexLock lock(&wake_.mutex);
    const absl::Duration again_at = clock_.Now() + *pause;
    while (!cancelled_ && clock_.Now() < again_at) {
      clock_.Wait(again_at, &wake_.changed, &wake_.mutex);
    }
  }
}

grpc::Status ConsumeRun::TryToMake() {
  v1::CreateSharedSubscriptionRequest request;
  *request.mutable_subscription() = options_.subscription;
  v1::CreateSharedSubscriptionResponse response;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       absl::ToChronoMilliseconds(options_.call_timeout));
  if (options_.prepare) options_.prepare(&context);
  std::optional<grpc::Status> ended;  // under the lock
  stub_->async()->CreateSharedSubscription(&context, &request, &response, [&](grpc::Status status) {
    MutexLock lock(&wake_.mutex);
    ended = std::move(status);
    wake_.changed.SignalAll();
  });
  MutexLock lock(&wake_.mutex);
  while (!ended && !cancelled_) wake_.changed.Wait(&wake_.mutex);
  if (!ended) context.TryCancel();
  while (!ended) wake_.changed.Wait(&wake_.mutex);
  return *std::move(ended);
}

}  // namespace ipp::client
