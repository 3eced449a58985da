#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "server/base/metrics.h"
#include "server/base/mutex.h"
#include "server/http/curl_transport.h"
#include "server/http/http_transport.h"

// Internal to the curl transport: what passes from the sending threads to the loops.
namespace ipp::http {

using SteadyTime = std::chrono::steady_clock::time_point;

// The state that all loops of one transport share. Lives as long as the transport.
struct CurlShared {
  const CurlOptions options;
  const bool tls;
  std::atomic<size_t> in_flight{0};
  std::atomic<bool> multiplexed{false};  // the last answer came over HTTP/2
  Counter& connections_opened;
  Counter& resends_prevented;
  Counter& refused;
  Gauge& in_flight_gauge;
};

class CurlExchange;
class CurlInbox;

// One request and its completion. Once posted, the fields belong to the loop; other threads may
// only call Cancel().
class CurlCall final : public HttpTransport::Call, public std::enable_shared_from_this<CurlCall> {
 public:
  void Cancel() override;

  HttpRequest request;
  HttpTransport::Done done;
  SteadyTime deadline;
  CurlExchange* exchange = nullptr;  // while the request is in progress
  bool refused = false;              // too many in flight: only `done` is to run
  std::shared_ptr<CurlInbox> inbox;  // shared: the handle may outlive the transport
  std::atomic<bool> cancelled{false};
  std::atomic<bool> over{false};
};

// The queue into a loop. Thread-safe. Wakes the loop only if it sleeps, so a burst costs one
// wakeup, and what the loop posts to itself costs none.
class CurlInbox {
 public:
  struct Item {
    std::shared_ptr<CurlCall> call;
    bool cancel = false;
  };

  // `multi` (a CURLM) must live until Close().
  explicit CurlInbox(void* multi) : multi_(multi) {}

  // False if the inbox is closed.
  bool Post(Item item);
  // Moves all waiting items into `batch`. False once Stop() was called.
  bool Take(std::vector<Item>* batch);
  // True if no item waits; from then on Post() wakes the loop.
  bool MaySleep();
  void Stop();
  // Closes the inbox and returns true, or returns false if an item waits.
  bool Close();

 private:
  void Wake() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Mutex mutex_;
  void* const multi_;
  std::vector<Item> items_ ABSL_GUARDED_BY(mutex_);
  bool asleep_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace ipp::http
