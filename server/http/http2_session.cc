#include "server/http/http2_session.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/http/request_check.h"

namespace ipp::http {
namespace {

// What an answer may have on the way to us: 100 ms at 80 Mbit/s for one, eight times that for all
// of a connection.
constexpr int32_t kStreamWindow = 1024 * 1024;
constexpr int32_t kConnectionWindow = 8 * 1024 * 1024;
// More at once on one connection would let a large answer hold up the others. A server that names
// no limit gets no more either.
constexpr uint32_t kMostStreams = 256;
constexpr uint32_t kMaxHeaderList = 64 * 1024;  // advice to the server; Http2Answer enforces it

nghttp2_nv Field(absl::string_view name, absl::string_view value,
                 uint8_t flags = NGHTTP2_NV_FLAG_NONE) {
  // nghttp2 copies both and writes to neither.
  const auto bytes = [](absl::string_view text) {
    return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), flags};
}

// A secret, or different each time: HPACK's tables do not remember it (RFC 7541, 7.1.3).
bool IsNeverIndexed(absl::string_view name) {
  return name == "authorization" || name == "traceparent";
}

// Of one connection, or said by the frames themselves (RFC 9113, 8.2.2 and 8.3.1).
bool IsHttp1Only(absl::string_view name) {
  for (const absl::string_view other : {"connection", "keep-alive", "proxy-connection",
                                        "transfer-encoding", "upgrade", "te", "host"}) {
    if (name == other) return true;
  }
  return false;
}

absl::string_view Text(const uint8_t* bytes, size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

absl::Status CheckHttp2Request(HttpRequest* request) {
  if (!IsTarget(request->target)) return absl::InvalidArgumentError("not a request target");
  for (auto& [name, value] : request->headers) {
    absl::AsciiStrToLower(&name);
    if (nghttp2_check_header_name(reinterpret_cast<const uint8_t*>(name.data()), name.size()) ==
            0 ||
        name[0] == ':' || IsHttp1Only(name) || !FitsInLine(value)) {
      return absl::InvalidArgumentError("not a header");
    }
  }
  return absl::OkStatus();
}

// nghttp2's callbacks: 0 means "go on".
struct Http2Session::Callbacks {
  static Http2Session& Self(void* self) { return *static_cast<Http2Session*>(self); }

  static int BeginHeaders(nghttp2_session*, const nghttp2_frame* frame, void* self) {
    if (Http2Call* call = Self(self).Find(frame->hd.stream_id)) call->answer.BeginHead();
    return 0;
  }
  static int Header(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                    size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                    void* self) {
    Self(self).OnHeader(frame->hd.stream_id, Text(name, name_size), Text(value, value_size));
    return 0;
  }
  static int Frame(nghttp2_session*, const nghttp2_frame* frame, void* self) {
    Self(self).OnFrame(*frame);
    return 0;
  }
  static int Data(nghttp2_session*, uint8_t, int32_t stream, const uint8_t* bytes, size_t size,
                  void* self) {
    Self(self).OnData(stream, Text(bytes, size));
    return 0;
  }
  static int Closed(nghttp2_session*, int32_t stream, uint32_t code, void* self) {
    Self(self).OnClosed(stream, code);
    return 0;
  }
  static int BeforeSend(nghttp2_session*, const nghttp2_frame* frame, void* self) {
    if (frame->hd.type != NGHTTP2_HEADERS) return 0;
    if (Http2Call* call = Self(self).Find(frame->hd.stream_id))
      Self(self).host_->OnCommitted(*call);
    return 0;
  }
  // A request that nghttp2 cannot send, for example since a GOAWAY came.
  static int NotSent(nghttp2_session*, const nghttp2_frame* frame, int, void* self) {
    if (frame->hd.type == NGHTTP2_HEADERS) {
      Self(self).OnClosed(frame->hd.stream_id, NGHTTP2_REFUSED_STREAM);
    }
    return 0;
  }
  static ssize_t ReadBody(nghttp2_session*, int32_t stream, uint8_t* to, size_t size,
                          uint32_t* flags, nghttp2_data_source*, void* self) {
    Http2Call* call = Self(self).Find(stream);
    if (call == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // ended early
    const std::string& body = call->request.body;
    const size_t count = std::min(size, body.size() - call->body_sent);
    std::memcpy(to, body.data() + call->body_sent, count);
    call->body_sent += count;
    if (call->body_sent == body.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(count);
  }

  static const nghttp2_session_callbacks* Get() {
    static const nghttp2_session_callbacks* const made = [] {
      nghttp2_session_callbacks* callbacks = nullptr;
      nghttp2_session_callbacks_new(&callbacks);
      nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, &BeginHeaders);
      nghttp2_session_callbacks_set_on_header_callback(callbacks, &Header);
      nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &Frame);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &Data);
      nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &Closed);
      nghttp2_session_callbacks_set_before_frame_send_callback(callbacks, &BeforeSend);
      nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, &NotSent);
      return callbacks;
    }();
    return made;
  }
};

Http2Session::Http2Session(const Http2Shared& shared, Host* host) : shared_(shared), host_(host) {
  nghttp2_option* option = nullptr;
  nghttp2_option_new(&option);
  // As libcurl does it: some servers send values with a space at the end.
  nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(option, 1);
  nghttp2_session_client_new2(&session_, Callbacks::Get(), this, option);
  nghttp2_option_del(option);
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, kMaxHeaderList},
  };
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
}

Http2Session::~Http2Session() { nghttp2_session_del(session_); }

void Http2Session::AddFields(const HttpRequest& request, const std::string& length) {
  fields_.clear();
  fields_.push_back(Field(":method", request.method));
  fields_.push_back(Field(":scheme", "https"));
  fields_.push_back(Field(":authority", shared_.url.authority));
  fields_.push_back(Field(":path", request.target));
  fields_.push_back(Field("user-agent", shared_.options.common.user_agent));
  fields_.push_back(Field("accept-encoding", "gzip, deflate"));
  bool accepts = false;
  for (const auto& [name, value] : request.headers) {
    if (name == "content-length") continue;  // said below
    accepts = accepts || name == "accept";
    // HTTP/1.1 would ignore spaces around the value; HTTP/2 forbids them.
    fields_.push_back(
        Field(name, absl::StripAsciiWhitespace(value),
              IsNeverIndexed(name) ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE));
  }
  if (!accepts) fields_.push_back(Field("accept", "*/*"));
  if (!length.empty()) fields_.push_back(Field("content-length", length));
}

bool Http2Session::Submit(Http2Call* call) {
  const HttpRequest& request = call->request;
  // A POST or PUT without a body says so (RFC 9110, 8.6); a GET or DELETE does not.
  std::string length;
  if (!request.body.empty() || (request.method != "GET" && request.method != "DELETE")) {
    length = absl::StrCat(request.body.size());
  }
  AddFields(request, length);
  nghttp2_data_provider body{};
  body.read_callback = &Callbacks::ReadBody;
  call->stream = nghttp2_submit_request(session_, nullptr, fields_.data(), fields_.size(),
                                        request.body.empty() ? nullptr : &body, call);
  return call->stream > 0;
}

void Http2Session::Reset(Http2Call* call) {
  Forget(*call);
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, call->stream, NGHTTP2_CANCEL);
}

void Http2Session::Ping() { nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr); }

void Http2Session::GoAway() { nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR); }

bool Http2Session::Receive(absl::string_view bytes) {
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  return nghttp2_session_mem_recv(session_, data, bytes.size()) >= 0;
}

bool Http2Session::Take(size_t most, std::string* out) {
  while (out->size() < most) {
    const uint8_t* bytes = nullptr;
    const ssize_t count = nghttp2_session_mem_send(session_, &bytes);
    if (count < 0) return false;
    if (count == 0) break;
    out->append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(count));
  }
  return nghttp2_session_want_read(session_) != 0 || nghttp2_session_want_write(session_) != 0;
}

int Http2Session::max_streams() const {
  return static_cast<int>(std::min(
      nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS),
      kMostStreams));
}

Http2Call* Http2Session::Find(int32_t stream) const {
  return static_cast<Http2Call*>(nghttp2_session_get_stream_user_data(session_, stream));
}

void Http2Session::Forget(const Http2Call& call) {
  nghttp2_session_set_stream_user_data(session_, call.stream, nullptr);
}

void Http2Session::OnHeader(int32_t stream, absl::string_view name, absl::string_view value) {
  Http2Call* call = Find(stream);
  if (call == nullptr || call->answer.AddHeader(name, value)) return;
  Reset(call);
  host_->OnTooLarge(*call);
}

void Http2Session::OnData(int32_t stream, absl::string_view bytes) {
  Http2Call* call = Find(stream);
  if (call == nullptr || call->answer.AddBody(bytes)) return;
  Reset(call);
  host_->OnTooLarge(*call);
}

void Http2Session::OnFrame(const nghttp2_frame& frame) {
  switch (frame.hd.type) {
    case NGHTTP2_SETTINGS:
      if ((frame.hd.flags & NGHTTP2_FLAG_ACK) == 0) host_->OnSettings();
      return;
    case NGHTTP2_GOAWAY:
      return host_->OnGoAway();
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
      break;
    default:
      return;
  }
  Http2Call* call = Find(frame.hd.stream_id);
  if (call == nullptr) return;
  if (frame.hd.type == NGHTTP2_HEADERS) call->answer.EndHead();
  if ((frame.hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return;
  // An answer may come before the whole request has left: the rest is not needed then.
  if (nghttp2_session_get_stream_local_close(session_, call->stream) == 0) {
    Reset(call);
  } else {
    Forget(*call);
  }
  host_->OnAnswered(*call);
}

void Http2Session::OnClosed(int32_t stream, uint32_t code) {
  Http2Call* call = Find(stream);
  if (call == nullptr) return;
  Forget(*call);
  host_->OnStreamEnded(*call, code);
}

}  // namespace ipp::http
