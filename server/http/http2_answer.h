#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "server/http/http_transport.h"

namespace ipp::http {

// Gathers one answer as its parts arrive, within limits. One thread.
class Http2Answer {
 public:
  // Forgets everything; the body may have `max_body_bytes`, before and after decoding. The headers'
  // limit is 64 KiB.
  void Reset(size_t max_body_bytes);

  // A head begins: of an interim answer (1xx), of the answer, or its trailers, which are ignored.
  void BeginHead();
  // False if the headers are larger than allowed, or announce a body that is.
  bool AddHeader(absl::string_view name, absl::string_view value);
  void EndHead();
  // False if the body is larger than allowed.
  bool AddBody(absl::string_view bytes);
  // The result once all has arrived: the body is decoded.
  HttpResult Take();

  // Whether a head other than an interim one has begun.
  bool began() const { return response_.code >= 200; }
  // Whether that head is complete.
  bool has_head() const { return has_head_; }

 private:
  HttpResponse response_;
  size_t max_body_bytes_ = 0;
  size_t header_bytes_ = 0;
  bool has_head_ = false;
};

// The result for an answer beyond the limits.
absl::Status AnswerTooLarge();

}  // namespace ipp::http
