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

// Inside the curl transport: what crosses from the threads that send to the loops.
namespace ipp::http {

using SteadyTime = std::chrono::steady_clock::time_point;

// What all loops of one transport have in common. Lives as long as the transport.
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

// One request and its completion. The fields belong to the loop once it is posted; only Cancel() is
// for others.
class CurlCall final : public HttpTransport::Call, public std::enable_shared_from_this<CurlCall> {
 public:
  void Cancel() override;

  HttpRequest request;
  HttpTransport::Done done;
  SteadyTime deadline;
  CurlExchange* exchange = nullptr;  // while it is under way
  bool refused = false;              // too many in flight: only to be told so
  std::shared_ptr<CurlInbox> inbox;  // shared: the handle may outlive the transport
  std::atomic<bool> cancelled{false};
  std::atomic<bool> over{false};
};

// The way into a loop. Thread-safe. Wakes the loop only when it sleeps, so a burst costs one wakeup
// and what the loop posts to itself costs none.
class CurlInbox {
 public:
  struct Item {
    std::shared_ptr<CurlCall> call;
    bool cancel = false;
  };

  // `multi` (a CURLM) must live until Close().
  explicit CurlInbox(void* multi) : multi_(multi) {}

  // False when closed.
  bool Post(Item item);
  // Fills `batch` with what came since; false once Stop() was called.
  bool Take(std::vector<Item>* batch);
  // True when nothing waits: from now on Post() wakes the loop.
  bool MaySleep();
  void Stop();
  // Closes, unless something waits: then false.
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
