#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "server/base/metrics.h"
#include "server/http/base_url.h"
#include "server/http/http2_answer.h"
#include "server/http/http2_transport.h"
#include "server/http/http_transport.h"
#include "server/http/loop_inbox.h"
#include "server/http/resolver.h"
#include "server/http/tls_client.h"

// Internal to the HTTP/2 transport: what passes from the sending threads to the loops.
namespace ipp::http {

using SteadyTime = std::chrono::steady_clock::time_point;

// The state that all loops of one transport share. Lives as long as the transport.
struct Http2Shared {
  const Http2Options options;
  const BaseUrl url;
  const std::unique_ptr<TlsClientContext> tls;
  // The transport over libcurl, for an upstream that turned out not to speak HTTP/2.
  const std::function<absl::StatusOr<HttpTransport*>()> fallback;
  Counter& connections_opened;
  Counter& refused;
  Gauge& in_flight_gauge;
  std::atomic<size_t> in_flight{0};
  // How many requests the upstream takes at once on a connection, as it said last.
  std::atomic<int> streams{1};
  std::atomic<bool> fell_back{false};
  Resolver resolver = {};
};

class Http2Call;
class Http2Connection;

// What other threads ask of a loop.
struct Http2Order {
  std::shared_ptr<Http2Call> call;
  bool cancel = false;
  std::shared_ptr<const Resolver::Addresses> addresses = nullptr;  // then there is no call
};
using Http2Inbox = LoopInbox<Http2Order>;

// One request and its completion. Once posted, the fields belong to the loop; other threads may
// only call Cancel().
class Http2Call final : public HttpTransport::Call, public std::enable_shared_from_this<Http2Call> {
 public:
  void Cancel() override;

  // Prepares for sending, or for sending again.
  void Reset(size_t max_response_bytes);
  // Whether the request continues in spite of Cancel() and its deadline.
  bool goes_on() const { return committed && request.repeatable == Repeatable::kNo; }
  // The time at which the request must be ended.
  SteadyTime due(std::chrono::nanoseconds mutation_limit) const {
    return goes_on() ? committed_at + mutation_limit : deadline;
  }
  // What is known if the request ends now, without a whole answer.
  RequestFate fate() const;

  HttpRequest request;
  HttpTransport::Done done;
  SteadyTime deadline;
  bool refused = false;               // too many in flight: only `done` is to run
  std::shared_ptr<Http2Inbox> inbox;  // shared: the handle may outlive the transport
  std::atomic<bool> cancelled{false};
  std::atomic<bool> over{false};
  // Once libcurl carries the request.
  std::shared_ptr<HttpTransport::Call> handed_over;

  // Keeps the call alive while it is in a list of the loop.
  std::shared_ptr<Http2Call> self;
  Http2Call* previous = nullptr;
  Http2Call* next = nullptr;

  Http2Connection* connection = nullptr;  // null: it waits for one
  int32_t stream = 0;
  size_t body_sent = 0;
  Http2Answer answer;
  // The request's head is among the bytes for the socket and cannot be taken back.
  bool committed = false;
  SteadyTime committed_at;
  uint64_t fill = 0;            // which of the connection's fills holds the head
  bool not_processed = false;   // the upstream said so
  bool repeated = false;        // this is the second attempt of a read …
  bool perhaps_before = false;  // … and the first one may have been executed
};

// A list of calls, linked through the calls themselves; a call is in at most one. One thread.
class Http2CallList {
 public:
  bool empty() const { return first_ == nullptr; }
  int size() const { return size_; }
  Http2Call* first() const { return first_; }
  void PushBack(Http2Call* call);
  void PushFront(Http2Call* call);
  void Remove(Http2Call* call);

 private:
  Http2Call* first_ = nullptr;
  Http2Call* last_ = nullptr;
  int size_ = 0;
};

}  // namespace ipp::http
