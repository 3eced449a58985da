#include "simulator/http2_session.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <vector>

#include "simulator/problem.h"

namespace ipp::simulator {
namespace {

// The number of streams that a peer may reset beyond those that it lets be answered, before the
// connection is ended. Opening and resetting costs the peer nothing, and us work (CVE-2023-44487).
constexpr int kResetBudget = 200;
// The bytes that a client may still send of a body that was answered 413, before its stream is
// ended. Ending it at once would be correct too (RFC 9113, section 8.1), but curl 7.88 then does
// not show the answer.
constexpr size_t kMaxDiscardedBytes = 8 * 1024 * 1024;
// RFC 9113, section 6.5.2, on SETTINGS_MAX_HEADER_LIST_SIZE.
constexpr size_t kFieldOverhead = 32;

std::string_view View(const uint8_t* bytes, size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

const uint8_t* Bytes(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

// For names and values that live until they are submitted: nghttp2 takes copies.
nghttp2_nv Field(std::string_view name, std::string_view value) {
  return {const_cast<uint8_t*>(Bytes(name)), const_cast<uint8_t*>(Bytes(value)), name.size(),
          value.size(), NGHTTP2_NV_FLAG_NONE};
}

std::string LowerCaseName(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

}  // namespace

// The callbacks of nghttp2, in its own signatures.
struct Http2Callbacks {
  static Http2Session& Of(void* session) { return *static_cast<Http2Session*>(session); }

  static bool IsRequest(const nghttp2_frame* frame) {
    return frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
  }

  static int OnBeginHeaders(nghttp2_session*, const nghttp2_frame* frame, void* session) {
    if (IsRequest(frame)) Of(session).OnBegin(frame->hd.stream_id);
    return 0;
  }

  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                      size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                      void* session) {
    if (IsRequest(frame)) {  // not its trailers
      Of(session).OnField(frame->hd.stream_id, View(name, name_size), View(value, value_size));
    }
    return 0;
  }

  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* session) {
    const int32_t id = frame->hd.stream_id;
    const bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    const bool carries = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (IsRequest(frame)) Of(session).OnHeadRead(id, end);
    if (carries && end) Of(session).OnEnd(id);
    if (frame->hd.type == NGHTTP2_RST_STREAM) Of(session).OnReset();
    return 0;
  }

  static int OnData(nghttp2_session*, uint8_t, int32_t id, const uint8_t* bytes, size_t size,
                    void* session) {
    Of(session).OnData(id, View(bytes, size));
    return 0;
  }

  static int OnClosed(nghttp2_session*, int32_t id, uint32_t error, void* session) {
    Of(session).OnClosed(id, error == NGHTTP2_NO_ERROR);
    return 0;
  }

  static ssize_t ReadBody(nghttp2_session*, int32_t id, uint8_t* out, size_t size, uint32_t* flags,
                          nghttp2_data_source*, void* session) {
    bool end = false;
    const size_t count = Of(session).ReadBody(id, reinterpret_cast<char*>(out), size, &end);
    if (end) *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (count == 0 && !end) return NGHTTP2_ERR_DEFERRED;
    return static_cast<ssize_t>(count);
  }

  static nghttp2_session* NewSession(Http2Session* self) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_option* option = nullptr;
    nghttp2_session* session = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_option_new(&option);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, &OnBeginHeaders);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, &OnHeader);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &OnFrame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &OnData);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &OnClosed);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_session_server_new2(&session, callbacks, self, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return session;
  }
};

Http2Session::Http2Session(const HttpServer::Options& options, int connection, Host& host)
    : options_(options),
      connection_(connection),
      host_(host),
      session_(Http2Callbacks::NewSession(this)),
      reset_budget_(kResetBudget) {
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options.max_streams},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(options.max_header_bytes)},
  };
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
}

Http2Session::~Http2Session() { nghttp2_session_del(session_); }

bool Http2Session::Receive(std::string_view bytes) {
  const ssize_t taken = nghttp2_session_mem_recv(session_, Bytes(bytes), bytes.size());
  if (taken >= 0) return true;
  nghttp2_session_terminate_session(
      session_, taken == NGHTTP2_ERR_FLOODED ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR);
  return false;
}

void Http2Session::Send(std::string* out, size_t size) {
  while (out->size() < size) {
    const uint8_t* bytes = nullptr;
    const ssize_t count = nghttp2_session_mem_send(session_, &bytes);
    if (count <= 0) return;
    out->append(View(bytes, static_cast<size_t>(count)));
  }
}

bool Http2Session::done() const {
  return nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0;
}

void Http2Session::Answer(Stream& stream, Response response) {
  if (!Has(stream)) return;
  const std::string status = std::to_string(response.status);
  const std::string length = std::to_string(response.body.size());
  std::vector<nghttp2_nv> fields = {Field(":status", status), Field("date", HttpDate())};
  if (response.status != 204) {
    fields.push_back(Field("content-type", response.content_type));
    fields.push_back(Field("content-length", length));
  }
  for (auto& [name, value] : response.headers) {
    name = LowerCaseName(std::move(name));
    fields.push_back(Field(name, value));
  }
  stream.answered = true;
  stream.body = std::move(response.body);
  if (stream.request.method == "HEAD") stream.body.clear();
  stream.cut = response.ending == Ending::kCutBody;
  stream.released = stream.cut                             ? stream.body.size() / 2
                    : response.ending == Ending::kSlowBody ? 0
                                                           : stream.body.size();
  nghttp2_data_provider body{};
  body.read_callback = &Http2Callbacks::ReadBody;
  nghttp2_submit_response(session_, stream.id, fields.data(), fields.size(),
                          stream.body.empty() ? nullptr : &body);
  if (stream.cut && stream.body.empty()) host_.OnCut();
}

size_t Http2Session::ReadBody(int32_t id, char* out, size_t size, bool* end) {
  Stream* stream = Find(id);
  if (stream == nullptr) return 0;
  const size_t count = std::min(size, stream->released - stream->sent);
  std::copy_n(stream->body.data() + stream->sent, count, out);
  stream->sent += count;
  *end = stream->sent == stream->body.size();
  if (stream->cut && stream->sent == stream->released) host_.OnCut();
  return count;
}

void Http2Session::Release(Stream& stream, size_t bytes) {
  stream.released = std::min(stream.released + bytes, stream.body.size());
  if (Has(stream)) nghttp2_session_resume_data(session_, stream.id);
}

void Http2Session::Refuse(Stream& stream) {
  stream.answered = true;
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id, NGHTTP2_REFUSED_STREAM);
}

void Http2Session::GoAway() {
  // Not beyond what was said or chosen before.
  last_request_ = std::min(last_request_, nghttp2_session_get_last_proc_stream_id(session_));
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, last_request_, NGHTTP2_NO_ERROR, nullptr, 0);
}

void Http2Session::GoAwayBefore(const Stream& stream) {
  last_request_ = std::max(stream.id - 2, 0);  // a client's streams have odd numbers
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, last_request_, NGHTTP2_NO_ERROR, nullptr, 0);
}

Http2Session::Stream* Http2Session::Find(int32_t id) {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second.get();
}

void Http2Session::OnBegin(int32_t id) {
  if (!listening_ || id > last_request_) return;
  const auto stream = std::make_shared<Stream>();
  stream->id = id;
  stream->request.connection = connection_;
  stream->request.protocol = kHttp2;
  streams_.emplace(id, stream);
}

void Http2Session::OnField(int32_t id, std::string_view name, std::string_view value) {
  Stream* stream = Find(id);
  if (stream == nullptr) return;
  stream->header_bytes += name.size() + value.size() + kFieldOverhead;
  if (stream->header_bytes > options_.max_header_bytes) return;
  const auto& [key, text] = stream->fields.emplace_back(name, value);
  Request& request = stream->request;
  if (key == ":method") {
    request.method = text;
  } else if (key == ":path") {
    request.target = text;
  } else if (key == ":authority") {
    request.headers.emplace_back("host", text);
  } else if (key[0] != ':') {
    request.headers.emplace_back(key, text);
  }
}

bool Http2Session::WithinLimits(Stream& stream) {
  if (stream.header_bytes > options_.max_header_bytes) {
    Answer(stream, LargeHeaderProblem());
    return false;
  }
  const std::string_view text = stream.request.Header("content-length");
  size_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (error != std::errc::result_out_of_range && length <= options_.max_body_bytes) return true;
  Answer(stream, LargeBodyProblem());
  return false;
}

void Http2Session::OnHeadRead(int32_t id, bool whole) {
  Stream* stream = Find(id);
  if (stream == nullptr || !WithinLimits(*stream)) return;
  switch (host_.OnHead(*stream)) {
    case Admission::kReset:
      return StopListening();
    case Admission::kRefuse:
      return Refuse(*stream);
    case Admission::kReadLast:
      last_request_ = id;
      stream->last = true;
      break;
    case Admission::kRead:
      break;
  }
  if (whole || !EqualsIgnoringCase(stream->request.Header("expect"), "100-continue")) return;
  const nghttp2_nv status = Field(":status", "100");
  nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, id, nullptr, &status, 1, nullptr);
}

void Http2Session::OnData(int32_t id, std::string_view bytes) {
  Stream* stream = Find(id);
  if (stream == nullptr) return;
  stream->body_bytes += bytes.size();
  if (!stream->answered && stream->body_bytes <= options_.max_body_bytes) {
    stream->request.body.append(bytes);
  } else if (!stream->answered) {
    stream->request.body = {};
    Answer(*stream, LargeBodyProblem());
  } else if (stream->body_bytes > kMaxDiscardedBytes) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
  }
}

void Http2Session::OnEnd(int32_t id) {
  const auto found = streams_.find(id);
  if (!listening_ || found == streams_.end() || found->second->answered) return;
  host_.OnRequest(std::shared_ptr<Stream>(found->second));
}

void Http2Session::OnReset() {
  if (--reset_budget_ >= 0) return;
  StopListening();
  nghttp2_session_terminate_session(session_, NGHTTP2_ENHANCE_YOUR_CALM);
}

void Http2Session::OnClosed(int32_t id, bool well) {
  if (well) reset_budget_ = std::min(reset_budget_ + 1, kResetBudget);
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  const auto stream = std::move(found->second);
  streams_.erase(found);
  host_.OnGone(*stream);
}

}  // namespace ipp::simulator
