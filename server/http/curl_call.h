#pragma once

#include <atomic>
#include <chrono>
#include <memory>

#include "server/base/metrics.h"
#include "server/http/curl_transport.h"
#include "server/http/http_transport.h"
#include "server/http/loop_inbox.h"

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

class CurlCall;
class CurlExchange;

// What other threads ask of a loop.
struct CurlOrder {
  std::shared_ptr<CurlCall> call;
  bool cancel = false;
};
using CurlInbox = LoopInbox<CurlOrder>;

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

}  // namespace ipp::http
