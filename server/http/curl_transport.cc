#include "server/http/curl_transport.h"

#include <curl/curl.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/http/base_url.h"
#include "server/http/curl_call.h"
#include "server/http/curl_loop.h"

namespace ipp::http {
namespace {

using std::chrono::steady_clock;

// Concurrent requests on one HTTP/2 connection, at least: RFC 9113 recommends servers to allow no
// fewer, and libcurl opens no more by default.
constexpr int kStreams = 100;

class CurlTransport final : public HttpTransport {
 public:
  CurlTransport(CurlOptions options, bool tls, Metrics* metrics)
      : shared_{std::move(options),
                tls,
                {},
                {},
                metrics->counter("ipp_upstream_connections_opened_total",
                                 "Connections opened to the upstream."),
                metrics->counter("ipp_upstream_resends_prevented_total",
                                 "Changes that would have been sent twice and were not."),
                metrics->counter("ipp_upstream_refused_total",
                                 "Requests refused because too many were in flight."),
                metrics->gauge("ipp_upstream_in_flight",
                               "Requests to the upstream that are queued or under way.")} {
    for (int i = 0; i < shared_.options.loops; ++i) {
      loops_.push_back(std::make_unique<CurlLoop>(&shared_));
    }
  }

  ~CurlTransport() override {
    for (const auto& loop : loops_) loop->Stop();
    loops_.clear();
  }

  std::shared_ptr<Call> Send(HttpRequest request, Done done) override {
    auto call = std::make_shared<CurlCall>();
    call->deadline = ToSteady(request.deadline);
    call->request = std::move(request);
    call->done = std::move(done);
    const size_t others = shared_.in_flight.fetch_add(1, std::memory_order_relaxed);
    if (others >= shared_.options.max_in_flight) {
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
    const CurlOptions& options = shared_.options;
    const int connections = options.loops * options.connections;
    const bool multiplexed = shared_.multiplexed.load(std::memory_order_relaxed);
    const int streams = multiplexed ? connections * kStreams : connections;
    return std::max(1, std::min(streams, static_cast<int>(options.max_in_flight)));
  }

 private:
  // The wall clock may jump, so a deadline is converted to a time span as soon as it arrives.
  SteadyTime ToSteady(absl::Time deadline) const {
    if (deadline == absl::InfiniteFuture()) return SteadyTime::max();
    const absl::Duration left = std::clamp(deadline - shared_.options.clock->Now(),
                                           absl::ZeroDuration(), absl::Hours(24 * 365));
    return steady_clock::now() + absl::ToChronoNanoseconds(left);
  }

  CurlShared shared_;
  std::vector<std::unique_ptr<CurlLoop>> loops_;
  std::atomic<size_t> next_loop_{0};
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpTransport>> NewCurlTransport(CurlOptions options,
                                                                Metrics* metrics) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (ready != CURLE_OK) return absl::InternalError("libcurl does not start");
  IPP_ASSIGN_OR_RETURN(const BaseUrl url, ParseBaseUrl(options.base_url));
  if (options.loops < 1 || options.connections < 1 || options.max_in_flight < 1) {
    return absl::InvalidArgumentError("loops, connections and max_in_flight must be at least 1");
  }
  if (!options.proxy.empty()) {
    const absl::StatusOr<BaseUrl> proxy = ParseBaseUrl(options.proxy);
    if (!proxy.ok() || proxy->tls) {
      return absl::InvalidArgumentError("the proxy must be http://host:port");
    }
  }
  // libcurl would report it only with the first request.
  if (!options.ca_file.empty() && access(options.ca_file.c_str(), R_OK) != 0) {
    return absl::FailedPreconditionError(absl::StrCat("cannot read ca_file ", options.ca_file));
  }
  return std::make_unique<CurlTransport>(std::move(options), url.tls, metrics);
}

}  // namespace ipp::http
