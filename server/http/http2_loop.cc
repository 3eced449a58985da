#include "server/http/http2_loop.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/time/time.h"
#include "server/base/this_thread.h"

namespace ipp::http {
namespace {

using std::chrono::steady_clock;

// Connections that finish their calls and take no more count up to so many times the allowed ones.
constexpr size_t kLeavingFactor = 4;
// While other connections serve, one that could not be opened is not tried again at once.
constexpr std::chrono::seconds kOpeningPause(1);
constexpr int kEventsAtOnce = 64;
constexpr std::chrono::minutes kLongestSleep(1);

HttpResult NotSent(absl::Status status) { return {std::move(status), RequestFate::kNotSent, {}}; }

}  // namespace

Http2Loop::Http2Loop(Http2Shared* shared)
    : shared_(shared),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      inbox_(std::make_shared<Http2Inbox>()),
      mutation_limit_(absl::ToChronoNanoseconds(std::clamp(shared->options.common.mutation_limit,
                                                           absl::ZeroDuration(), absl::Hours(24)))),
      thread_([this] {
        NameThisThread("http2");
        Run();
      }) {}

Http2Loop::~Http2Loop() {
  thread_.join();
  connections_.clear();
  close(epoll_);
}

bool Http2Loop::Post(const std::shared_ptr<Http2Call>& call, bool alone) {
  call->inbox = inbox_;
  if (!alone || !inbox_->TakeTurn()) return inbox_->Post({call});
  turn_.now = steady_clock::now();
  Start(call);
  Assign();
  FlushAll();
  ShowInFlight();
  inbox_->GiveBackTurn(/*wake=*/!ended_.empty() || NextTime() < sleeps_until_);
  return true;
}

void Http2Loop::Run() {
  epoll_event wake{};
  wake.events = EPOLLIN | EPOLLET;
  wake.data.ptr = nullptr;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, inbox_->wake_fd(), &wake);

  std::vector<Http2Order> batch;
  turn_.now = steady_clock::now();
  while (inbox_->Take(&batch)) {
    TakeOrders(&batch);
    EndDue();
    Tend();
    Assign();
    FlushAll();
    RunCompletions();
    ShowInFlight();
    Wait();
  }
  // A `done` may send another request: continue until none is left to refuse.
  do {
    TakeOrders(&batch);
    EndAll();
    RunCompletions();
    inbox_->Take(&batch);
  } while (!batch.empty() || !inbox_->Close());
  for (const auto& connection : connections_) connection->Shut();
  ShowInFlight();
}

void Http2Loop::TakeOrders(std::vector<Http2Order>* batch) {
  for (Http2Order& item : *batch) {
    if (item.addresses != nullptr) {
      OnAddresses(*item.addresses);
    } else if (item.cancel) {
      Cancel(item.call.get());
    } else {
      Start(std::move(item.call));
    }
  }
  batch->clear();
}

void Http2Loop::Start(std::shared_ptr<Http2Call> call) {
  if (call->refused) {
    shared_->refused.Add();
    return Complete(std::move(call),
                    NotSent(absl::ResourceExhaustedError("too many requests in flight")));
  }
  if (call->cancelled.load(std::memory_order_relaxed)) {
    return Complete(std::move(call), NotSent(absl::CancelledError("cancelled before it was sent")));
  }
  if (turn_.now >= call->deadline) {
    return Complete(std::move(call),
                    NotSent(absl::DeadlineExceededError("the deadline passed before it was sent")));
  }
  if (absl::Status status = CheckHttp2Request(&call->request); !status.ok()) {
    return Complete(std::move(call), NotSent(std::move(status)));
  }
  Http2Call* raw = call.get();
  raw->self = std::move(call);
  raw->Reset(shared_->options.common.max_response_bytes);
  if (hands_over_) return HandOver(raw);
  waiting_.PushBack(raw);
  earliest_due_ = std::min(earliest_due_, raw->deadline);
}

void Http2Loop::Cancel(Http2Call* call) {
  if (call->handed_over != nullptr) return call->handed_over->Cancel();
  if (call->self == nullptr || call->goes_on()) return;
  if (call->connection != nullptr) {
    call->connection->End(call, absl::CancelledError("cancelled"));
  } else {
    EndWaiting(call, absl::CancelledError("cancelled"));
  }
}

void Http2Loop::EndWaiting(Http2Call* call, absl::Status status) {
  waiting_.Remove(call);
  const RequestFate fate = call->fate();
  Complete(std::move(call->self), {std::move(status), fate, {}});
}

void Http2Loop::OnEnded(Http2Call* call, HttpResult result, bool repeatable) {
  if (!repeatable || call->repeated || call->request.repeatable != Repeatable::kYes ||
      result.fate == RequestFate::kSent) {
    return Complete(std::move(call->self), std::move(result));
  }
  call->repeated = true;
  call->perhaps_before = result.fate == RequestFate::kUnknown;
  call->Reset(shared_->options.common.max_response_bytes);
  waiting_.PushFront(call);
}

SteadyTime Http2Loop::EndDue(const Http2CallList& calls) {
  SteadyTime earliest = SteadyTime::max();
  for (Http2Call* call = calls.first(); call != nullptr;) {
    Http2Call* const next = call->next;
    if (const SteadyTime due = call->due(mutation_limit_); turn_.now < due) {
      earliest = std::min(earliest, due);
    } else if (call->connection != nullptr) {
      call->connection->End(call, absl::DeadlineExceededError("the deadline passed"));
    } else {
      EndWaiting(call, absl::DeadlineExceededError("the deadline passed before it was sent"));
    }
    call = next;
  }
  return earliest;
}

void Http2Loop::EndDue() {
  if (turn_.now < earliest_due_) return;
  earliest_due_ = EndDue(waiting_);
  for (const auto& connection : connections_) {
    earliest_due_ = std::min(earliest_due_, EndDue(connection->calls()));
  }
}

void Http2Loop::EndAll() {
  const absl::Status status = absl::CancelledError("the transport ends");
  while (Http2Call* call = waiting_.first()) EndWaiting(call, status);
  for (const auto& connection : connections_) {
    while (Http2Call* call = connection->calls().first()) connection->End(call, status);
  }
}

void Http2Loop::Tend() {
  for (size_t i = 0; i < connections_.size();) {
    Http2Connection& connection = *connections_[i];
    connection.OnTime();
    const auto state = connection.state();
    if (state == Http2Connection::State::kNotHttp2) {
      hands_over_ = true;
    } else if (state != Http2Connection::State::kGone) {
      ++i;
      continue;
    }
    const std::unique_ptr<Http2Connection> ended = std::move(connections_[i]);
    connections_.erase(connections_.begin() + static_cast<std::ptrdiff_t>(i));
    if (hands_over_) {
      HandOverAll();
    } else if (!ended->was_of_use()) {
      OnFailedOpening(ended->error());
    }
  }
}

// The calls that wait fail with the connection that was opened for them, unless others serve.
void Http2Loop::OnFailedOpening(const absl::Status& error) {
  for (const auto& connection : connections_) {
    if (connection->state() == Http2Connection::State::kOpen) {
      next_opening_ = turn_.now + kOpeningPause;
      return;
    }
  }
  while (Http2Call* call = waiting_.first()) EndWaiting(call, error);
}

void Http2Loop::Assign() {
  if (shared_->fell_back.load(std::memory_order_relaxed)) {
    // Another loop has learnt it.
    hands_over_ = true;
    HandOverAll();
  }
  for (const auto& connection : connections_) {
    while (!waiting_.empty() && connection->has_room()) {
      Http2Call* call = waiting_.first();
      waiting_.Remove(call);
      if (!connection->Begin(call)) {
        waiting_.PushFront(call);
      } else if (call->request.repeatable == Repeatable::kNo) {
        earliest_due_ = std::min(earliest_due_, turn_.now + mutation_limit_);
      }
    }
  }
  if (!waiting_.empty() && turn_.now >= next_opening_) OpenConnection();
}

void Http2Loop::OpenConnection() {
  const auto allowed = static_cast<size_t>(shared_->options.common.connections);
  size_t taking = 0;
  for (const auto& connection : connections_) {
    if (connection->state() == Http2Connection::State::kOpening) return;
    taking += connection->state() == Http2Connection::State::kOpen ? 1 : 0;
  }
  if (taking >= allowed || connections_.size() >= allowed * kLeavingFactor) return;
  connections_.push_back(std::make_unique<Http2Connection>(
      *shared_, epoll_, &turn_, static_cast<Http2Connection::Owner*>(this)));
  shared_->resolver.Resolve(
      shared_->url.host, shared_->url.port, [inbox = inbox_](Resolver::Addresses addresses) {
        inbox->Post(
            {nullptr, false, std::make_shared<const Resolver::Addresses>(std::move(addresses))});
      });
}

// At most one connection is being opened; addresses that an earlier one did not wait for will do.
void Http2Loop::OnAddresses(const Resolver::Addresses& addresses) {
  for (const auto& connection : connections_) {
    if (connection->needs_addresses()) return connection->Connect(addresses);
  }
}

void Http2Loop::HandOverAll() {
  while (Http2Call* call = waiting_.first()) {
    waiting_.Remove(call);
    HandOver(call);
  }
}

// From here on libcurl's transport carries the call and counts it; `done` runs on a thread of that.
void Http2Loop::HandOver(Http2Call* call) {
  const absl::StatusOr<HttpTransport*> transport = shared_->fallback();
  if (!transport.ok()) {
    const RequestFate fate = call->fate();
    return Complete(std::move(call->self), {transport.status(), fate, {}});
  }
  std::shared_ptr<Http2Call> self = std::move(call->self);
  shared_->in_flight.fetch_sub(1, std::memory_order_relaxed);
  call->handed_over = (*transport)->Send(std::move(call->request), [self](HttpResult result) {
    self->over.store(true, std::memory_order_release);
    if (self->perhaps_before && result.fate == RequestFate::kNotSent) {
      result.fate = RequestFate::kUnknown;
    }
    HttpTransport::Done done = std::move(self->done);
    std::move(done)(std::move(result));
  });
}

void Http2Loop::Complete(std::shared_ptr<Http2Call> call, HttpResult result) {
  ended_.emplace_back(std::move(call), std::move(result));
}

void Http2Loop::RunCompletions() {
  for (auto& [call, result] : ended_) {
    if (!call->refused) shared_->in_flight.fetch_sub(1, std::memory_order_relaxed);
    call->over.store(true, std::memory_order_release);
    call->request = {};
    HttpTransport::Done done = std::move(call->done);
    std::move(done)(std::move(result));
  }
  ended_.clear();
}

// libcurl's transport shows the figure once requests go there.
void Http2Loop::ShowInFlight() {
  if (shared_->fell_back.load(std::memory_order_relaxed)) return;
  shared_->in_flight_gauge.Set(
      static_cast<double>(shared_->in_flight.load(std::memory_order_relaxed)));
}

void Http2Loop::FlushAll() {
  for (const auto& connection : connections_) connection->Flush();
}

SteadyTime Http2Loop::NextTime() const {
  SteadyTime next = earliest_due_;
  if (!waiting_.empty() && next_opening_ > turn_.now) next = std::min(next, next_opening_);
  for (const auto& connection : connections_) next = std::min(next, connection->next_time());
  return next;
}

void Http2Loop::Wait() {
  const SteadyTime next = std::min(NextTime(), turn_.now + kLongestSleep);
  if (next < sleeps_until_ || sleeps_until_ <= turn_.now) sleeps_until_ = next;
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(sleeps_until_ - steady_clock::now());
  auto timeout_ms = static_cast<int>(std::max<int64_t>(left.count(), 0));
  if (!inbox_->MaySleep()) timeout_ms = 0;
  epoll_event events[kEventsAtOnce];
  const int count = epoll_wait(epoll_, events, kEventsAtOnce, timeout_ms);
  inbox_->Resume();
  turn_.now = steady_clock::now();
  for (int i = 0; i < count; ++i) {
    if (events[i].data.ptr == nullptr) continue;  // awake
    static_cast<Http2Connection*>(events[i].data.ptr)->OnEvents(events[i].events);
  }
  RunCompletions();
}

}  // namespace ipp::http
