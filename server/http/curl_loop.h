#pragma once

#include <curl/curl.h>

#include <memory>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "server/http/curl_call.h"
#include "server/http/curl_exchange.h"

namespace ipp::http {

// One thread with one multi handle. Everything except Post() and Stop() happens on that thread.
class CurlLoop {
 public:
  explicit CurlLoop(CurlShared* shared);
  // Stop() must have been called before. Waits until each `done` has run.
  ~CurlLoop();
  CurlLoop(const CurlLoop&) = delete;
  CurlLoop& operator=(const CurlLoop&) = delete;

  // False if the loop has ended.
  bool Post(const std::shared_ptr<CurlCall>& call);
  void Stop() { inbox_->Stop(); }

 private:
  void Run();
  // Starts or cancels the calls of `batch`, then clears it.
  void TakeOrders(std::vector<CurlInbox::Item>* batch);
  void Start(std::shared_ptr<CurlCall> call);
  void Cancel(const CurlCall& call);
  void Collect();
  void EndDue();
  void EndAll();
  void Poll();
  // Removes the exchange from libcurl and runs its `done`.
  void Finish(CurlExchange* exchange, HttpResult result);
  void Complete(const std::shared_ptr<CurlCall>& call, HttpResult result);

  CurlShared* const shared_;
  CURLM* const multi_;
  const std::shared_ptr<CurlInbox> inbox_;
  std::vector<std::unique_ptr<CurlExchange>> all_;
  std::vector<CurlExchange*> free_;
  std::vector<CurlExchange*> active_;
  // No request in active_ is due before this time. The value may be too early but never too late,
  // so requests that end in time, as nearly all do, cost nothing here.
  SteadyTime earliest_due_ = SteadyTime::max();
  std::thread thread_;
};

}  // namespace ipp::http
