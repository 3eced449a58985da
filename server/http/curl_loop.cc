#include "server/http/curl_loop.h"
#include "server/base/this_thread.h"

#include <algorithm>
#include <utility>

namespace ipp::http {
namespace {

using std::chrono::steady_clock;

HttpResult NotSent(absl::Status status) { return {std::move(status), RequestFate::kNotSent, {}}; }

}  // namespace

CurlLoop::CurlLoop(CurlShared* shared)
    : shared_(shared),
      multi_(curl_multi_init()),
      inbox_(std::make_shared<CurlInbox>(multi_)),
      thread_([this] {
        NameThisThread("curl");
        Run();
      }) {}

CurlLoop::~CurlLoop() {
  thread_.join();
  all_.clear();
  curl_multi_cleanup(multi_);
}

bool CurlLoop::Post(const std::shared_ptr<CurlCall>& call) {
  call->inbox = inbox_;
  return inbox_->Post({call, false});
}

void CurlLoop::Run() {
  const auto connections = static_cast<long>(shared_->options.connections);
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_MULTIPLEX));
  // Without this limit 500 concurrent calls open 400 connections.
  curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS, connections);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, connections);

  std::vector<CurlInbox::Item> batch;
  while (inbox_->Take(&batch)) {
    TakeOrders(&batch);
    int running = 0;
    curl_multi_perform(multi_, &running);
    Collect();
    EndDue();
    shared_->in_flight_gauge.Set(
        static_cast<double>(shared_->in_flight.load(std::memory_order_relaxed)));
    if (inbox_->MaySleep()) Poll();
  }
  // A `done` may send another request: continue until none is left to refuse.
  do {
    TakeOrders(&batch);
    EndAll();
    inbox_->Take(&batch);
  } while (!batch.empty() || !inbox_->Close());
  shared_->in_flight_gauge.Set(static_cast<double>(shared_->in_flight.load()));
}

void CurlLoop::TakeOrders(std::vector<CurlInbox::Item>* batch) {
  for (CurlInbox::Item& item : *batch) {
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
    return Complete(call, NotSent(absl::ResourceExhaustedError("too many requests in flight")));
  }
  if (call->cancelled.load(std::memory_order_relaxed)) {
    return Complete(call, NotSent(absl::CancelledError("cancelled before it was sent")));
  }
  if (steady_clock::now() >= call->deadline) {
    return Complete(call,
                    NotSent(absl::DeadlineExceededError("the deadline passed before it was sent")));
  }
  if (free_.empty()) {
    all_.push_back(std::make_unique<CurlExchange>(*shared_, &earliest_due_));
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

void CurlLoop::Poll() {
  // libcurl shortens this according to its own timers.
  int timeout_ms = 60'000;
  if (earliest_due_ != SteadyTime::max()) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(earliest_due_ - steady_clock::now());
    timeout_ms = static_cast<int>(std::clamp<int64_t>(left.count(), 0, timeout_ms));
  }
  curl_multi_poll(multi_, nullptr, 0, timeout_ms, nullptr);
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
  const std::shared_ptr<CurlCall> call = exchange->Release();
  call->exchange = nullptr;
  Complete(call, std::move(result));
}

void CurlLoop::Complete(const std::shared_ptr<CurlCall>& call, HttpResult result) {
  if (!call->refused) shared_->in_flight.fetch_sub(1, std::memory_order_relaxed);
  call->over.store(true, std::memory_order_release);
  call->request = {};
  HttpTransport::Done done = std::move(call->done);
  std::move(done)(std::move(result));
}

}  // namespace ipp::http
