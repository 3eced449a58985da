#pragma once

#include <curl/curl.h>

#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "server/http/curl_call.h"
#include "server/http/curl_exchange.h"
#include "server/http/curl_sockets.h"

namespace ipp::http {

// One thread with one multi handle. Everything except Post() and Stop() happens on that thread, or
// on one that has its turn (LoopInbox); completions run on that thread alone.
class CurlLoop {
 public:
  explicit CurlLoop(CurlShared* shared);
  // Stop() must have been called before. Waits until each `done` has run.
  ~CurlLoop();
  CurlLoop(const CurlLoop&) = delete;
  CurlLoop& operator=(const CurlLoop&) = delete;

  // False if the loop has ended. `alone`: no other request of the transport is under way. Then the
  // calling thread sends it, if the loop sleeps.
  bool Post(const std::shared_ptr<CurlCall>& call, bool alone);
  void Stop() { inbox_->Stop(); }

 private:
  void Run();
  // Starts or cancels the calls of `batch`, then clears it.
  void TakeOrders(std::vector<CurlOrder>* batch);
  void Start(std::shared_ptr<CurlCall> call);
  void Cancel(const CurlCall& call);
  // Lets libcurl do what is due by its own timers, which starts new requests, too.
  void Act();
  void Collect();
  void EndDue();
  void EndAll();
  // When the loop is needed next.
  SteadyTime NextTime() const;
  void Wait();
  // Removes the exchange from libcurl.
  void Finish(CurlExchange* exchange, HttpResult result);
  void Complete(std::shared_ptr<CurlCall> call, HttpResult result);
  void RunCompletions();
  void ShowInFlight();

  CurlShared* const shared_;
  CURLM* const multi_;
  const std::shared_ptr<CurlInbox> inbox_;
  CurlSockets sockets_;
  std::vector<std::unique_ptr<CurlExchange>> all_;
  std::vector<CurlExchange*> free_;
  std::vector<CurlExchange*> active_;
  // No request in active_ is due before this time. The value may be too early but never too late,
  // so requests that end in time, as nearly all do, cost nothing here.
  SteadyTime earliest_due_ = SteadyTime::max();
  // How long it sleeps, or slept last. A later time is planned only when this has come: otherwise
  // each request on an idle connection would need the loop earlier than the one before had left it.
  SteadyTime sleeps_until_;
  // Completions run between, not inside, the work with libcurl.
  std::vector<std::pair<std::shared_ptr<CurlCall>, HttpResult>> ended_;
  std::thread thread_;
};

}  // namespace ipp::http
