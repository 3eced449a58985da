#include "tests/bench/curl_floor.h"

#include <curl/curl.h>
#include <time.h>

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace ipp::bench {
namespace {

double Microseconds(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

size_t CountBody(char*, size_t size, size_t count, void* total) {
  *static_cast<int64_t*>(total) += static_cast<int64_t>(size * count);
  return size * count;
}

class Runner {
 public:
  explicit Runner(const CurlFloor& floor)
      : url_(floor.base_url + floor.target),
        body_(floor.body),
        multi_(curl_multi_init(), &curl_multi_cleanup) {
    curl_multi_setopt(multi_.get(), CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_MULTIPLEX));
    curl_multi_setopt(multi_.get(), CURLMOPT_MAX_HOST_CONNECTIONS,
                      static_cast<long>(floor.connections));
    for (const std::string& header : floor.headers) {
      headers_.reset(curl_slist_append(headers_.release(), header.c_str()));
    }
    for (int i = 0; i < floor.in_flight; ++i) {
      easies_.emplace_back(curl_easy_init(), &curl_easy_cleanup);
      SetUp(easies_.back().get(), floor);
    }
  }

  // Keeps all handles busy until `count` requests are answered.
  absl::Status Run(int count) {
    int started = 0;
    int ended = 0;
    for (const Easy& easy : easies_) {
      if (started == count) break;
      ++started;
      curl_multi_add_handle(multi_.get(), easy.get());
    }
    while (ended < count) {
      int running = 0;
      curl_multi_perform(multi_.get(), &running);
      int left = 0;
      while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
        CURL* easy = message->easy_handle;
        const CURLcode result = message->data.result;
        long code = 0;
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &code);
        curl_multi_remove_handle(multi_.get(), easy);
        ++ended;
        if (result != CURLE_OK || code / 100 != 2) {
          RemoveAll();
          return absl::UnavailableError(
              absl::StrCat(curl_easy_strerror(result), ", HTTP status ", code));
        }
        if (started < count) {
          ++started;
          curl_multi_add_handle(multi_.get(), easy);
        }
      }
      if (ended < count) curl_multi_poll(multi_.get(), nullptr, 0, 1000, nullptr);
    }
    return absl::OkStatus();
  }

  int64_t body_bytes() const { return body_bytes_; }

 private:
  using Easy = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;

  void SetUp(CURL* easy, const CurlFloor& floor) {
    const bool tls = floor.base_url.rfind("https://", 0) == 0;
    curl_easy_setopt(easy, CURLOPT_URL, url_.c_str());
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_.get());
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, tls ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                     static_cast<long>(tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (!floor.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, floor.ca_file.c_str());
    if (!body_.empty()) {
      curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body_.c_str());
      curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(body_.size()));
    }
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &CountBody);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &body_bytes_);
  }

  void RemoveAll() {
    for (const Easy& easy : easies_) curl_multi_remove_handle(multi_.get(), easy.get());
  }

  const std::string url_;
  const std::string body_;
  std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers_{nullptr,
                                                                       &curl_slist_free_all};
  int64_t body_bytes_ = 0;
  std::unique_ptr<CURLM, decltype(&curl_multi_cleanup)> multi_;
  std::vector<Easy> easies_;  // after multi_: they go first
};

}  // namespace

absl::StatusOr<CurlFloorResult> MeasureFloor(const CurlFloor& floor,
                                             absl::FunctionRef<absl::Status(int)> run,
                                             absl::FunctionRef<int64_t()> body_bytes) {
  if (absl::Status status = run(floor.warm_up); !status.ok()) return status;
  CurlFloorResult result;
  result.requests = floor.requests;
  const int64_t bytes_before = body_bytes();
  const double cpu = Microseconds(CLOCK_THREAD_CPUTIME_ID);
  const double wall = Microseconds(CLOCK_MONOTONIC);
  if (absl::Status status = run(floor.requests); !status.ok()) return status;
  result.cpu_us = Microseconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
  result.wall_us = Microseconds(CLOCK_MONOTONIC) - wall;
  result.body_bytes = body_bytes() - bytes_before;
  return result;
}

absl::StatusOr<CurlFloorResult> RunCurlFloor(const CurlFloor& floor) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (ready != CURLE_OK) return absl::InternalError("libcurl does not start");
  Runner runner(floor);
  return MeasureFloor(
      floor, [&runner](int count) { return runner.Run(count); },
      [&runner] { return runner.body_bytes(); });
}

}  // namespace ipp::bench
