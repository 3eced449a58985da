#include "server/http/http2_answer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "server/http/content_coding.h"

namespace ipp::http {
namespace {

constexpr size_t kMaxHeaderBytes = 64 * 1024;
constexpr size_t kMostReserved = 64 * 1024;  // what a mere announcement may cost

}  // namespace

void Http2Answer::Reset(size_t max_body_bytes) {
  response_ = {};
  max_body_bytes_ = max_body_bytes;
  header_bytes_ = 0;
  has_head_ = false;
}

void Http2Answer::BeginHead() {
  if (has_head_) return;
  response_.code = 0;
  response_.headers.clear();
  response_.headers.reserve(12);
}

bool Http2Answer::AddHeader(absl::string_view name, absl::string_view value) {
  // The overhead is a line's of HTTP/1.1. All heads of one answer count together.
  header_bytes_ += name.size() + value.size() + 4;
  if (header_bytes_ > kMaxHeaderBytes) return false;
  if (has_head_) return true;
  if (name == ":status") {
    if (!absl::SimpleAtoi(value, &response_.code)) response_.code = 0;
    return true;
  }
  value = absl::StripAsciiWhitespace(value);
  response_.headers.emplace_back(std::string(name), std::string(value));
  size_t length = 0;
  if (name == "content-length" && absl::SimpleAtoi(value, &length)) {
    if (length > max_body_bytes_) return false;
    response_.body.reserve(std::min(length, kMostReserved));
  }
  return true;
}

void Http2Answer::EndHead() { has_head_ = has_head_ || began(); }

bool Http2Answer::AddBody(absl::string_view bytes) {
  if (bytes.size() > max_body_bytes_ - response_.body.size()) return false;
  response_.body.append(bytes.data(), bytes.size());
  return true;
}

HttpResult Http2Answer::Take() {
  HttpResult result{absl::OkStatus(), RequestFate::kSent, std::move(response_)};
  HttpResponse& response = result.response;
  const absl::string_view codings = response.header("content-encoding");
  if (codings.empty()) return result;
  switch (DecodeBody(codings, max_body_bytes_, &response.body)) {
    case Decoded::kWhole:
      break;
    case Decoded::kTooLarge:
      return {AnswerTooLarge(), RequestFate::kSent, {}};
    case Decoded::kUnknownOrBroken:
      response.body_trouble = CodingTrouble(codings);
      break;
  }
  return result;
}

absl::Status AnswerTooLarge() {
  return absl::OutOfRangeError("the upstream's answer is larger than allowed");
}

}  // namespace ipp::http
