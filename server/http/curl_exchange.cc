#include "server/http/curl_exchange.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/http/content_coding.h"
#include "server/http/curl_error.h"
#include "server/http/request_check.h"

namespace ipp::http {
namespace {

using std::chrono::steady_clock;

constexpr size_t kMaxHeaderBytes = 64 * 1024;
constexpr size_t kExpectThreshold = 1024 * 1024;  // libcurl asks for 100-continue above this

// If a peer disappears without closing, the kernel would keep an HTTP/2 connection in use until it
// gives up, by default after 15 minutes; every request in the meantime would join it and time out.
int OnSocket(void*, curl_socket_t fd, curlsocktype) {
  const unsigned int limit_ms = 20'000;
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit_ms, sizeof(limit_ms));
  return CURL_SOCKOPT_OK;
}

// Newer libcurl (seen with 8.14; 7.88 does not) parks a request that waits for a connection until
// that one turns out to be HTTP/2, or has its first answer: over HTTP/1.1, behind a slow answer.
bool ParksBehindHttp1() {
  static const bool parks = curl_version_info(CURLVERSION_NOW)->version_num >= 0x080000;
  return parks;
}

}  // namespace

CurlExchange::CurlExchange(const CurlShared& shared, SteadyTime* earliest_due)
    : shared_(shared), earliest_due_(earliest_due), easy_(curl_easy_init()) {
  if (easy_ != nullptr) SetUp();
}

CurlExchange::~CurlExchange() { curl_easy_cleanup(easy_); }

void CurlExchange::SetUp() {
  const CurlOptions& options = shared_.options;
  const auto set = [this](CURLoption option, auto value) {
    curl_easy_setopt(easy_, option, value);
  };
  set(CURLOPT_PRIVATE, this);
  set(CURLOPT_ERRORBUFFER, error_);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_QUICK_EXIT, 1L);  // otherwise ending a request waits for its DNS thread
  set(CURLOPT_PROTOCOLS_STR, shared_.tls ? "https" : "http");
  set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  set(CURLOPT_PATH_AS_IS, 1L);
  set(CURLOPT_PROXY, options.proxy.c_str());  // empty: none, not that of the environment
  set(CURLOPT_NOPROXY, "");
  set(CURLOPT_HTTPPROXYTUNNEL, 1L);
  set(CURLOPT_HEADEROPT, static_cast<long>(CURLHEADER_SEPARATE));  // the proxy gets none of ours
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);  // the proxy's answer is not the upstream's
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_USERAGENT, options.user_agent.c_str());

  // Without TLS there is no HTTP/2 (reuse with prior knowledge is broken before libcurl 8.0.0).
  set(CURLOPT_HTTP_VERSION,
      static_cast<long>(shared_.tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!options.ca_file.empty()) set(CURLOPT_CAINFO, options.ca_file.c_str());

  set(CURLOPT_CONNECTTIMEOUT_MS,
      static_cast<long>(absl::ToInt64Milliseconds(
          std::clamp(options.connect_timeout, absl::Milliseconds(1), absl::Hours(1)))));
  const auto seconds = [](absl::Duration duration) {
    return static_cast<long>(
        absl::ToInt64Seconds(std::clamp(duration, absl::Seconds(1), absl::Hours(24))));
  };
  set(CURLOPT_MAXLIFETIME_CONN, seconds(options.max_connection_age));
  set(CURLOPT_MAXAGE_CONN, seconds(options.max_connection_idle));
  set(CURLOPT_DNS_CACHE_TIMEOUT, 30L);  // libcurl ignores the record's own time to live
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_TCP_KEEPIDLE, 30L);
  set(CURLOPT_TCP_KEEPINTVL, 10L);
  set(CURLOPT_SOCKOPTFUNCTION, &OnSocket);

  set(CURLOPT_PREREQFUNCTION, &CurlExchange::BeforeRequest);
  set(CURLOPT_PREREQDATA, this);
  set(CURLOPT_READFUNCTION, &CurlExchange::ReadBody);
  set(CURLOPT_READDATA, this);
  set(CURLOPT_SEEKFUNCTION, &CurlExchange::SeekBody);
  set(CURLOPT_SEEKDATA, this);
  set(CURLOPT_UPLOAD_BUFFERSIZE, 16L * 1024);  // the default is 64 KiB per handle
  set(CURLOPT_HEADERFUNCTION, &CurlExchange::OnHeader);
  set(CURLOPT_HEADERDATA, this);
  set(CURLOPT_WRITEFUNCTION, &CurlExchange::OnBody);
  set(CURLOPT_WRITEDATA, this);
  // Bodies with these codings are decoded. OnBody counts the decoded bytes, so that a small answer
  // cannot expand without limit. libcurl also decodes other codings that it knows.
  set(CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
  set(CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(options.max_response_bytes));
  set(CURLOPT_HTTPGET, 1L);
  method_ = "GET";
}

absl::Status CurlExchange::Begin(std::shared_ptr<CurlCall> call) {
  call_ = std::move(call);
  if (easy_ == nullptr) return absl::InternalError("libcurl gives no handle");
  const HttpRequest& request = call_->request;
  if (!IsTarget(request.target)) return absl::InvalidArgumentError("not a request target");
  SetMethod(request);
  url_.assign(shared_.options.base_url).append(request.target);
  curl_easy_setopt(easy_, CURLOPT_URL, url_.c_str());
  // Wait for a connection that is being opened rather than open one per request, if it is likely to
  // take more than one. The limit of connections holds in any case.
  const bool wait =
      shared_.tls && (shared_.multiplexed.load(std::memory_order_relaxed) || !ParksBehindHttp1());
  curl_easy_setopt(easy_, CURLOPT_PIPEWAIT, wait ? 1L : 0L);
  return SetHeaders(request);
}

// Never CURLOPT_POSTFIELDS: libcurl could send such a body a second time.
void CurlExchange::SetMethod(const HttpRequest& request) {
  const bool get = request.method == "GET" && request.body.empty();
  // A POST or PUT without a body sends `Content-Length: 0` (RFC 9110, 8.6); a DELETE does not.
  const bool upload = !get && !(request.method == "DELETE" && request.body.empty());
  if (upload != with_upload_) {
    curl_easy_setopt(easy_, upload ? CURLOPT_POST : CURLOPT_HTTPGET, 1L);
    with_upload_ = upload;
  }
  if (upload) {
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
  }
  if (request.method != method_) {
    method_ = request.method;
    const bool own = method_ == (upload ? "POST" : "GET");
    curl_easy_setopt(easy_, CURLOPT_CUSTOMREQUEST, own ? nullptr : method_.c_str());
  }
}

absl::Status CurlExchange::SetHeaders(const HttpRequest& request) {
  header_text_.clear();
  header_starts_.clear();
  bool has_type = false;
  for (const auto& [name, value] : request.headers) {
    if (name.empty() || absl::StrContains(name, ':') || !FitsInLine(name) || !FitsInLine(value)) {
      return absl::InvalidArgumentError("not a header");
    }
    header_starts_.push_back(header_text_.size());
    // To libcurl "Name:" means "remove this header" and "Name;" means "send it empty".
    if (value.empty()) {
      absl::StrAppend(&header_text_, name, ";");
    } else {
      absl::StrAppend(&header_text_, name, ": ", value);
    }
    header_text_.push_back('\0');
    has_type = has_type || absl::EqualsIgnoreCase(name, "content-type");
  }
  if (with_upload_ && !has_type) AddHeaderLine("Content-Type:");  // libcurl's default is a form
  if (request.body.size() >= kExpectThreshold) AddHeaderLine("Expect:");

  header_list_.resize(header_starts_.size());
  for (size_t i = 0; i < header_starts_.size(); ++i) {
    header_list_[i].data = header_text_.data() + header_starts_[i];
    header_list_[i].next = i + 1 < header_starts_.size() ? &header_list_[i + 1] : nullptr;
  }
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, header_list_.empty() ? nullptr : header_list_.data());
  return absl::OkStatus();
}

void CurlExchange::AddHeaderLine(absl::string_view line) {
  header_starts_.push_back(header_text_.size());
  absl::StrAppend(&header_text_, line);
  header_text_.push_back('\0');
}

// libcurl calls this each time it has a connection and is about to send the request on it. A second
// call for one request is libcurl's silent retry ("Connection died, retrying a fresh connect", and
// after REFUSED_STREAM): a change is stopped here. The failing seek below also stops it, but only
// if a part of the body was handed out. Protecting a change without a body would need a connection
// of its own, which costs a TLS handshake per call, and would not suffice with HTTP/2: once another
// request joins the new connection, that one counts as reused.
int CurlExchange::BeforeRequest(void* self, char*, char*, int, int) {
  auto& x = *static_cast<CurlExchange*>(self);
  if (x.handed_out_ && x.call_->request.repeatable != Repeatable::kYes) {
    x.resend_refused_ = true;
    x.shared_.resends_prevented.Add();
    return CURL_PREREQFUNC_ABORT;
  }
  const SteadyTime now = steady_clock::now();
  if (!x.handed_out_ && now >= x.call_->deadline) {
    x.late_ = true;
    return CURL_PREREQFUNC_ABORT;
  }
  x.handed_out_ = true;
  x.handed_out_at_ = now;
  if (x.goes_on()) *x.earliest_due_ = std::min(*x.earliest_due_, x.due());
  return CURL_PREREQFUNC_OK;
}

size_t CurlExchange::ReadBody(char* to, size_t size, size_t count, void* self) {
  auto& x = *static_cast<CurlExchange*>(self);
  const std::string& body = x.call_->request.body;
  const size_t n = std::min(size * count, body.size() - x.body_sent_);
  std::memcpy(to, body.data() + x.body_sent_, n);
  x.body_sent_ += n;
  return n;
}

int CurlExchange::SeekBody(void* self, curl_off_t offset, int origin) {
  const auto& x = *static_cast<CurlExchange*>(self);
  return x.body_sent_ == 0 && offset == 0 && origin == SEEK_SET ? CURL_SEEKFUNC_OK
                                                                : CURL_SEEKFUNC_FAIL;
}

size_t CurlExchange::OnHeader(char* data, size_t size, size_t count, void* self) {
  auto& x = *static_cast<CurlExchange*>(self);
  const size_t n = size * count;
  return x.ParseHeaderLine(absl::string_view(data, n)) ? n : 0;
}

bool CurlExchange::ParseHeaderLine(absl::string_view line) {
  header_bytes_ += line.size();
  if (header_bytes_ > kMaxHeaderBytes) {
    too_large_ = true;
    return false;
  }
  line = absl::StripTrailingAsciiWhitespace(line);
  if (absl::StartsWith(line, "HTTP/") && (headers_complete_ || !answer_began_)) {
    // An interim answer (1xx) may precede it; only the last one counts.
    response_.headers.clear();
    response_.headers.reserve(12);
    headers_complete_ = false;
    const size_t space = line.find(' ');
    response_.code = 0;
    if (space != line.npos && !absl::SimpleAtoi(line.substr(space + 1, 3), &response_.code)) {
      response_.code = 0;
    }
    answer_began_ = response_.code >= 200;
    return true;
  }
  if (line.empty()) {
    headers_complete_ = true;
    return true;
  }
  const size_t colon = line.find(':');
  // Ignore trailers and folded lines, which RFC 9112 forbids.
  if (headers_complete_ || colon == line.npos || absl::ascii_isspace(line.front())) return true;
  response_.headers.emplace_back(
      absl::AsciiStrToLower(line.substr(0, colon)),
      std::string(absl::StripLeadingAsciiWhitespace(line.substr(colon + 1))));
  return true;
}

size_t CurlExchange::OnBody(char* data, size_t size, size_t count, void* self) {
  auto& x = *static_cast<CurlExchange*>(self);
  const size_t n = size * count;
  if (n > x.shared_.options.max_response_bytes - x.response_.body.size()) {
    x.too_large_ = true;
    return 0;
  }
  x.response_.body.append(data, n);
  return n;
}

SteadyTime CurlExchange::due() const {
  if (!goes_on()) return call_->deadline;
  const absl::Duration limit =
      std::clamp(shared_.options.mutation_limit, absl::ZeroDuration(), absl::Hours(24));
  return handed_out_at_ + absl::ToChronoMicroseconds(limit);
}

// Once libcurl may have sent the request, it counts as sent whatever the code says later: "could
// not connect" may refer to libcurl's second attempt. CURLINFO_REQUEST_SIZE == 0 would be slightly
// more exact, for a connection that breaks at the very first write; but libcurl increases it only
// after a successful write, and with HTTP/2 a failed write may have sent something.
RequestFate CurlExchange::fate() const {
  if (!handed_out_) return RequestFate::kNotSent;
  return answer_began_ ? RequestFate::kSent : RequestFate::kUnknown;
}

HttpResult CurlExchange::Ended(absl::Status status) const {
  return {std::move(status), fate(), {}};
}

HttpResult CurlExchange::Result(CURLcode code) {
  if (code == CURLE_OK) return {absl::OkStatus(), RequestFate::kSent, std::move(response_)};
  if (late_) return Ended(absl::DeadlineExceededError("the deadline passed before it was sent"));
  if (too_large_ || code == CURLE_FILESIZE_EXCEEDED) {
    return Ended(absl::OutOfRangeError("the upstream's answer is larger than allowed"));
  }
  // The code and the headers arrived, and they mostly suffice.
  if (code == CURLE_BAD_CONTENT_ENCODING && answer_began_) {
    response_.body.clear();
    response_.body_trouble = CodingTrouble(response_.header("content-encoding"));
    return {absl::OkStatus(), RequestFate::kSent, std::move(response_)};
  }
  if (resend_refused_) return Ended(absl::UnavailableError("the connection to the upstream broke"));
  // Before the request is sent, libcurl's own text names host and port. Afterwards it might quote
  // the answer, so it is not used.
  const char* words = !handed_out_ && error_[0] != '\0' ? error_ : curl_easy_strerror(code);
  return Ended(CurlStatus(code, words));
}

std::shared_ptr<CurlCall> CurlExchange::Release() {
  response_ = {};
  body_sent_ = 0;
  header_bytes_ = 0;
  handed_out_ = resend_refused_ = late_ = too_large_ = answer_began_ = headers_complete_ = false;
  error_[0] = '\0';
  return std::move(call_);
}

long CurlExchange::connections_opened() const {
  long opened = 0;
  curl_easy_getinfo(easy_, CURLINFO_NUM_CONNECTS, &opened);
  return opened;
}

bool CurlExchange::over_http2() const {
  long version = 0;
  curl_easy_getinfo(easy_, CURLINFO_HTTP_VERSION, &version);
  return version == CURL_HTTP_VERSION_2_0;
}

}  // namespace ipp::http
