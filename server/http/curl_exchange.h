#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "server/http/curl_call.h"
#include "server/http/http_transport.h"

namespace ipp::http {

// One easy handle and the request that it carries. One loop reuses it for many requests, on the
// loop's thread. Options that are the same for all requests are set once.
class CurlExchange {
 public:
  // `earliest_due` is lowered if a request becomes due earlier than before.
  CurlExchange(const CurlShared& shared, SteadyTime* earliest_due);
  ~CurlExchange();
  CurlExchange(const CurlExchange&) = delete;
  CurlExchange& operator=(const CurlExchange&) = delete;

  // Sets up the handle. Not OK if the request cannot be sent in valid HTTP.
  absl::Status Begin(std::shared_ptr<CurlCall> call);
  // The result after libcurl has finished the transfer with `code`.
  HttpResult Result(CURLcode code);
  // The result if the gateway itself ends the request with `status`.
  HttpResult Ended(absl::Status status) const;
  // Resets the exchange for another request and returns the finished call.
  std::shared_ptr<CurlCall> Release();

  CURL* easy() const { return easy_; }
  const CurlCall& call() const { return *call_; }
  // The time at which the request must be ended.
  SteadyTime due() const;
  // Whether the request continues in spite of Cancel() and its deadline.
  bool goes_on() const { return handed_out_ && call_->request.repeatable == Repeatable::kNo; }
  long connections_opened() const;
  bool over_http2() const;  // whether the answer came over HTTP/2

  size_t index = 0;  // position in the loop's list

 private:
  static int BeforeRequest(void* self, char*, char*, int, int);
  static size_t ReadBody(char* to, size_t size, size_t count, void* self);
  static int SeekBody(void* self, curl_off_t offset, int origin);
  static size_t OnHeader(char* data, size_t size, size_t count, void* self);
  static size_t OnBody(char* data, size_t size, size_t count, void* self);

  void SetUp();
  void SetMethod(const HttpRequest& request);
  absl::Status SetHeaders(const HttpRequest& request);
  void AddHeaderLine(absl::string_view line);
  bool ParseHeaderLine(absl::string_view line);
  RequestFate fate() const;

  const CurlShared& shared_;
  SteadyTime* const earliest_due_;
  CURL* const easy_;
  std::string method_;        // as set in the handle, to skip setting it again
  bool with_upload_ = false;  // likewise
  std::string url_;
  // The header list that libcurl reads: its nodes point into one text, since curl_slist_append
  // would allocate twice per header.
  std::string header_text_;
  std::vector<size_t> header_starts_;
  std::vector<curl_slist> header_list_;
  char error_[CURL_ERROR_SIZE] = "";

  std::shared_ptr<CurlCall> call_;
  HttpResponse response_;
  SteadyTime handed_out_at_;
  size_t body_sent_ = 0;
  size_t header_bytes_ = 0;
  bool handed_out_ = false;      // libcurl was allowed to send on a connection
  bool resend_refused_ = false;  // … and was stopped when it wanted to send again
  bool late_ = false;            // the deadline passed while it waited for a connection
  bool too_large_ = false;
  bool answer_began_ = false;  // the status line of a final answer came
  bool headers_complete_ = false;
};

}  // namespace ipp::http
