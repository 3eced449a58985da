#include "server/http/curl_loop.h"

#include <algorithm>
#include <utility>

#include "server/base/this_thread.h"

namespace ipp::http {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::minutes kLongestSleep(1);

HttpResult NotSent(absl::Status status) { return {std::move(status), RequestFate::kNotSent, {}}; }

CURLM* NewMulti(const CurlOptions& options) {
  CURLM* const multi = curl_multi_init();
  const auto connections = static_cast<long>(options.connections);
  curl_multi_setopt(multi, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_MULTIPLEX));
  // Without this limit 500 concurrent calls open 400 connections.
  curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, connections);
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, connections);
  return multi;
}

}  // namespace

CurlLoop::CurlLoop(CurlShared* shared)
    : shared_(shared),
      multi_(NewMulti(shared->options)),
      inbox_(std::make_shared<CurlInbox>()),
      sockets_(multi_, inbox_->wake_fd()),
      thread_([this] {
        NameThisThread("curl");
        Run();
      }) {}

CurlLoop::~CurlLoop() {
  thread_.join();
  all_.clear();
  curl_multi_cleanup(multi_);
}

bool CurlLoop::Post(const std::shared_ptr<CurlCall>& call, bool alone) {
  call->inbox = inbox_;
  if (!alone || !inbox_->TakeTurn()) return inbox_->Post({call});
  Start(call);
  Act();
  Collect();
  ShowInFlight();
  inbox_->GiveBackTurn(/*wake=*/!ended_.empty() || NextTime() < sleeps_until_);
  return true;
}

void CurlLoop::Run() {
  std::vector<CurlOrder> batch;
  while (inbox_->Take(&batch)) {
    TakeOrders(&batch);
    Act();
    Collect();
    EndDue();
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
  ShowInFlight();
}

void CurlLoop::TakeOrders(std::vector<CurlOrder>* batch) {
  for (CurlOrder& item : *batch) {
    if (item.cancel) {
      Cancel(*item.call);
    } else {
      Start(std::move(item.call));
    }
  }
  batch->clear();
}

void CurlLoop::Start(std::shared_ptr<CurlCall> call) {
  if (call->refused) {
    shared_->refused.Add();
    return Complete(std::move(call),
                    NotSent(absl::ResourceExhaustedError("too many requests in flight")));
  }
  if (call->cancelled.load(std::memory_order_relaxed)) {
    return Complete(std::move(call), NotSent(absl::CancelledError("cancelled before it was sent")));
  }
  if (steady_clock::now() >= call->deadline) {
    return Complete(std::move(call),
                    NotSent(absl::DeadlineExceededError("the deadline passed before it was sent")));
  }
  if (free_.empty()) {
    all_.push_back(std::make_unique<CurlExchange>(*shared_, &earliest_due_));
    sockets_.SetUp(all_.back()->easy());
    free_.push_back(all_.back().get());
  }
  CurlExchange* exchange = free_.back();
  free_.pop_back();
  call->exchange = exchange;
  absl::Status status = exchange->Begin(std::move(call));
  exchange->index = active_.size();
  active_.push_back(exchange);
  if (status.ok() && curl_multi_add_handle(multi_, exchange->easy()) != CURLM_OK) {
    status = absl::InternalError("libcurl does not take the request");
  }
  if (!status.ok()) return Finish(exchange, exchange->Ended(std::move(status)));
  earliest_due_ = std::min(earliest_due_, exchange->due());
}

void CurlLoop::Cancel(const CurlCall& call) {
  if (call.exchange == nullptr || call.exchange->goes_on()) return;
  Finish(call.exchange, call.exchange->Ended(absl::CancelledError("cancelled")));
}

void CurlLoop::Act() {
  long timeout_ms = -1;
  curl_multi_timeout(multi_, &timeout_ms);
  if (timeout_ms != 0) return;
  int running = 0;
  curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
}

void CurlLoop::Collect() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    CurlExchange* exchange = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &exchange);
    Finish(exchange, exchange->Result(code));
  }
}

void CurlLoop::EndDue() {
  const SteadyTime now = steady_clock::now();
  if (now < earliest_due_) return;
  earliest_due_ = SteadyTime::max();
  // Backwards: Finish() moves the last element, which was already checked, into the gap.
  for (size_t i = active_.size(); i-- > 0;) {
    CurlExchange* exchange = active_[i];
    if (now >= exchange->due()) {
      Finish(exchange, exchange->Ended(absl::DeadlineExceededError("the deadline passed")));
    } else {
      earliest_due_ = std::min(earliest_due_, exchange->due());
    }
  }
}

void CurlLoop::EndAll() {
  while (!active_.empty()) {
    CurlExchange* exchange = active_.back();
    Finish(exchange, exchange->Ended(absl::CancelledError("the transport ends")));
  }
}

SteadyTime CurlLoop::NextTime() const {
  long timeout_ms = -1;
  curl_multi_timeout(multi_, &timeout_ms);
  if (timeout_ms < 0) return earliest_due_;
  return std::min(earliest_due_, steady_clock::now() + std::chrono::milliseconds(timeout_ms));
}

void CurlLoop::Wait() {
  const SteadyTime now = steady_clock::now();
  const SteadyTime next = std::min(NextTime(), now + kLongestSleep);
  if (next < sleeps_until_ || sleeps_until_ <= now) sleeps_until_ = next;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(sleeps_until_ - now);
  auto timeout_ms = static_cast<int>(std::max<int64_t>(left.count(), 0));
  if (!inbox_->MaySleep()) timeout_ms = 0;
  sockets_.Wait(timeout_ms);
  inbox_->Resume();
  sockets_.Handle();
}

void CurlLoop::Finish(CurlExchange* exchange, HttpResult result) {
  curl_multi_remove_handle(multi_, exchange->easy());
  if (const long opened = exchange->connections_opened(); opened > 0) {
    shared_->connections_opened.Add(static_cast<double>(opened));
  }
  if (result.status.ok()) {
    shared_->multiplexed.store(exchange->over_http2(), std::memory_order_relaxed);
  }
  active_.back()->index = exchange->index;
  active_[exchange->index] = active_.back();
  active_.pop_back();
  free_.push_back(exchange);
  std::shared_ptr<CurlCall> call = exchange->Release();
  call->exchange = nullptr;
  Complete(std::move(call), std::move(result));
}

void CurlLoop::Complete(std::shared_ptr<CurlCall> call, HttpResult result) {
  ended_.emplace_back(std::move(call), std::move(result));
}

void CurlLoop::RunCompletions() {
  for (auto& [call, result] : ended_) {
    if (!call->refused) shared_->in_flight.fetch_sub(1, std::memory_order_relaxed);
    call->over.store(true, std::memory_order_release);
    call->request = {};
    HttpTransport::Done done = std::move(call->done);
    std::move(done)(std::move(result));
  }
  ended_.clear();
}

void CurlLoop::ShowInFlight() {
  shared_->in_flight_gauge.Set(
      static_cast<double>(shared_->in_flight.load(std::memory_order_relaxed)));
}

}  // namespace ipp::http
