#pragma once

#include <curl/curl.h>

#include <memory>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "server/http/curl_call.h"
#include "server/http/curl_exchange.h"

namespace ipp::http {

// One thread and one multi handle. Everything but Post() and Stop() happens on that thread.
class CurlLoop {
 public:
  explicit CurlLoop(CurlShared* shared);
  // Stop() must have been called. Waits until each `done` has run.
  ~CurlLoop();
  CurlLoop(const CurlLoop&) = delete;
  CurlLoop& operator=(const CurlLoop&) = delete;

  // False when the loop has ended.
  bool Post(const std::shared_ptr<CurlCall>& call);
  void Stop() { inbox_->Stop(); }

 private:
  void Run();
  void Heed(std::vector<CurlInbox::Item>* batch);
  void Start(std::shared_ptr<CurlCall> call);
  void Cancel(const CurlCall& call);
  void Collect();
  void EndDue();
  void EndAll();
  void Poll();
  // Takes it out of libcurl and runs its `done`.
  void Finish(CurlExchange* exchange, HttpResult result);
  void Complete(const std::shared_ptr<CurlCall>& call, HttpResult result);

  CurlShared* const shared_;
  CURLM* const multi_;
  const std::shared_ptr<CurlInbox> inbox_;
  std::vector<std::unique_ptr<CurlExchange>> all_;
  std::vector<CurlExchange*> free_;
  std::vector<CurlExchange*> active_;
  // No request of active_ is due before this. Only ever too early, never too late: so requests that
  // end in time, nearly all, cost nothing here.
  SteadyTime earliest_due_ = SteadyTime::max();
  std::thread thread_;
};

}  // namespace ipp::http
