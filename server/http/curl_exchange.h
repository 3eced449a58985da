#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "server/http/curl_call.h"
#include "server/http/http_transport.h"

namespace ipp::http {

// One easy handle and the request that it carries; used again and again by one loop, on its thread.
// What is the same for all requests is set once.
class CurlExchange {
 public:
  // `earliest_due` is lowered when a request gets a nearer end than it had.
  CurlExchange(const CurlShared& shared, SteadyTime* earliest_due);
  ~CurlExchange();
  CurlExchange(const CurlExchange&) = delete;
  CurlExchange& operator=(const CurlExchange&) = delete;

  // Sets the handle up; not OK when the request cannot be put on the wire.
  absl::Status Begin(std::shared_ptr<CurlCall> call);
  // What came of it, after libcurl said `code`.
  HttpResult Result(CURLcode code);
  // The end that we made of it.
  HttpResult Ended(absl::Status status) const;
  // Makes it ready for another request; hands the old one back.
  std::shared_ptr<CurlCall> Release();

  CURL* easy() const { return easy_; }
  const CurlCall& call() const { return *call_; }
  // When it is to be ended.
  SteadyTime due() const;
  // Whether Cancel() and the deadline are to be ignored.
  bool goes_on() const { return handed_out_ && call_->request.repeatable == Repeatable::kNo; }
  long connections_opened() const;
  bool over_http2() const;  // the answer came

  size_t index = 0;  // its place in the loop's list

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
  std::string method_;        // as the handle is set up, to leave out what is the same again
  bool with_upload_ = false;  // likewise
  std::string url_;
  // The list that libcurl reads: nodes of our own into one text, since curl_slist_append would
  // allocate twice a header.
  std::string header_text_;
  std::vector<size_t> header_starts_;
  std::vector<curl_slist> header_list_;
  char error_[CURL_ERROR_SIZE] = "";

  std::shared_ptr<CurlCall> call_;
  HttpResponse response_;
  SteadyTime handed_out_at_;
  size_t body_sent_ = 0;
  size_t header_bytes_ = 0;
  bool handed_out_ = false;      // libcurl had a connection and was let send
  bool resend_refused_ = false;  // … and wanted to do it again
  bool late_ = false;            // the deadline passed while it waited for a connection
  bool too_large_ = false;
  bool answer_began_ = false;  // the status line of a final answer came
  bool headers_complete_ = false;
};

}  // namespace ipp::http
