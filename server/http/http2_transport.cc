#include "server/http/http2_transport.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "server/base/log.h"
#include "server/base/mutex.h"
#include "server/base/status_macros.h"
#include "server/http/base_url.h"
#include "server/http/http2_call.h"
#include "server/http/http2_loop.h"
#include "server/http/tls_client.h"

namespace ipp::http {
namespace {

using std::chrono::steady_clock;

class Http2Transport final : public HttpTransport {
 public:
  // The names are those of the transport over libcurl: one dashboard serves both.
  Http2Transport(Http2Options options, BaseUrl url, std::unique_ptr<TlsClientContext> tls,
                 Metrics* metrics)
      : metrics_(metrics),
        shared_{std::move(options),
                std::move(url),
                std::move(tls),
                [this] { return FallBack(); },
                metrics->counter("ipp_upstream_connections_opened_total",
                                 "Connections opened to the upstream."),
                metrics->counter("ipp_upstream_refused_total",
                                 "Requests refused because too many were in flight."),
                metrics->gauge("ipp_upstream_in_flight",
                               "Requests to the upstream that are queued or under way.")} {
    metrics->counter("ipp_upstream_resends_prevented_total",
                     "Changes that would have been sent twice and were not.");
    for (int i = 0; i < shared_.options.common.loops; ++i) {
      loops_.push_back(std::make_unique<Http2Loop>(&shared_));
    }
  }

  // The loops first: what they hand over while they end is ended by libcurl's transport.
  ~Http2Transport() override {
    for (const auto& loop : loops_) loop->Stop();
    loops_.clear();
    std::unique_ptr<HttpTransport> curl;
    {
      MutexLock lock(&mutex_);
      curl = std::move(curl_);
    }
    curl.reset();  // its completions may still send: curl_now_ is there for them
  }

  std::shared_ptr<Call> Send(HttpRequest request, Done done) override {
    if (HttpTransport* curl = curl_now_.load(std::memory_order_acquire)) {
      return curl->Send(std::move(request), std::move(done));
    }
    auto call = std::make_shared<Http2Call>();
    call->deadline = ToSteady(request.deadline);
    call->request = std::move(request);
    call->done = std::move(done);
    const size_t others = shared_.in_flight.fetch_add(1, std::memory_order_relaxed);
    if (others >= shared_.options.common.max_in_flight) {
      shared_.in_flight.fetch_sub(1, std::memory_order_relaxed);
      call->refused = true;
    }
    // While the transport ends, a `done` may still send a request: the loop that runs the `done`
    // accepts it, even if all others have ended.
    for (size_t tries = 0; tries < loops_.size(); ++tries) {
      const size_t next = next_loop_.fetch_add(1, std::memory_order_relaxed);
      if (loops_[next % loops_.size()]->Post(call, others == 0)) break;
    }
    return call;
  }

  int concurrency() const override {
    if (const HttpTransport* curl = curl_now_.load(std::memory_order_acquire)) {
      return curl->concurrency();
    }
    const CurlOptions& options = shared_.options.common;
    const int64_t streams = int64_t{options.loops} * options.connections *
                            shared_.streams.load(std::memory_order_relaxed);
    return static_cast<int>(
        std::clamp<int64_t>(streams, 1, static_cast<int64_t>(options.max_in_flight)));
  }

 private:
  // The wall clock may jump, so a deadline is converted to a time span as soon as it arrives.
  SteadyTime ToSteady(absl::Time deadline) const {
    if (deadline == absl::InfiniteFuture()) return SteadyTime::max();
    const absl::Duration left = std::clamp(deadline - shared_.options.common.clock->Now(),
                                           absl::ZeroDuration(), absl::Hours(24 * 365));
    return steady_clock::now() + absl::ToChronoNanoseconds(left);
  }

  // Called by the loops. Once libcurl serves it serves to the end.
  absl::StatusOr<HttpTransport*> FallBack() {
    MutexLock lock(&mutex_);
    if (curl_ == nullptr) {
      IPP_ASSIGN_OR_RETURN(curl_, NewCurlTransport(shared_.options.common, metrics_));
      LogWarning("the upstream does not speak HTTP/2, so libcurl carries the requests",
                 {{"upstream", shared_.url.authority}});
      shared_.fell_back.store(true, std::memory_order_relaxed);
      curl_now_.store(curl_.get(), std::memory_order_release);
    }
    return curl_.get();
  }

  Metrics* const metrics_;
  Mutex mutex_;
  std::unique_ptr<HttpTransport> curl_ ABSL_GUARDED_BY(mutex_);
  std::atomic<HttpTransport*> curl_now_{nullptr};
  Http2Shared shared_;
  std::vector<std::unique_ptr<Http2Loop>> loops_;
  std::atomic<size_t> next_loop_{0};
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpTransport>> NewHttp2Transport(Http2Options options,
                                                                 Metrics* metrics) {
  CurlOptions& common = options.common;
  IPP_ASSIGN_OR_RETURN(BaseUrl url, ParseBaseUrl(common.base_url));
  if (!url.tls) return NewCurlTransport(std::move(common), metrics);
  if (!common.proxy.empty()) return absl::InvalidArgumentError("http2 uses no proxy");
  if (common.loops < 1 || common.connections < 1 || common.max_in_flight < 1) {
    return absl::InvalidArgumentError("loops, connections and max_in_flight must be at least 1");
  }
  IPP_ASSIGN_OR_RETURN(std::unique_ptr<TlsClientContext> tls,
                       TlsClientContext::Make(common.ca_file));
  return std::make_unique<Http2Transport>(std::move(options), std::move(url), std::move(tls),
                                          metrics);
}

}  // namespace ipp::http
