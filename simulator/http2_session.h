#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "simulator/http.h"
#include "simulator/http_server.h"

struct nghttp2_session;  // NOLINT(readability-identifier-naming): libnghttp2's

namespace ipp::simulator {

// The protocol of one HTTP/2 connection (RFC 9113), server's side, by libnghttp2 and without a
// socket: bytes come in and become requests, answers go in and become bytes. Limits are those of
// HttpServer::Options. One thread.
class Http2Session {
 public:
  // One request and its answer. Outlives the session if a Responder still holds it.
  struct Stream {
    int32_t id = 0;
    Request request;  // its views look into `fields`
    std::deque<std::pair<std::string, std::string>> fields;
    size_t header_bytes = 0;
    size_t body_bytes = 0;  // received
    bool answered = false;  // or refused; the rest of the request is discarded
    bool last = false;      // later streams are not handled
    bool silent = false;    // it will never be answered; set by the host
    std::string body;       // of the answer
    size_t sent = 0;        // of it
    size_t released = 0;    // bytes of it that may be sent so far
    bool cut = false;       // the stream ends after the released bytes
  };

  // The receiver of the session's events. From its methods it may call all of Http2Session except
  // Receive and Send.
  class Host {
   public:
    // The head of a request was read.
    virtual Admission OnHead(Stream& stream) = 0;
    // A whole request was read; it must be answered now or later.
    virtual void OnRequest(std::shared_ptr<Stream> stream) = 0;
    // The stream has ended: its answer was sent, or the peer no longer wants it.
    virtual void OnGone(Stream& stream) = 0;
    // An answer that is cut was completely passed to Send.
    virtual void OnCut() = 0;

   protected:
    ~Host() = default;
  };

  Http2Session(const HttpServer::Options& options, int connection, Host& host);
  ~Http2Session();
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;

  // Returns false if the bytes are not HTTP/2: send what is left, and close.
  bool Receive(std::string_view bytes);
  // Appends what is to be sent now, until *out has about `size` bytes.
  void Send(std::string* out, size_t size);
  // Whether neither side has anything more to send.
  bool done() const;

  // A no-op if the stream has ended meanwhile.
  void Answer(Stream& stream, Response response);
  // More of the body of an answer with Ending::kSlowBody, which begins without any.
  void Release(Stream& stream, size_t bytes);
  // RST_STREAM: the request was not handled.
  void Refuse(Stream& stream);
  // GOAWAY without an error, for a connection that is about to close. Covers what was read.
  void GoAway();
  // The same, but the stream and those after it are not covered: they were not handled.
  void GoAwayBefore(const Stream& stream);
  // From now on no request is accepted, neither new ones nor incomplete ones.
  void StopListening() { listening_ = false; }

  bool Has(const Stream& stream) { return Find(stream.id) == &stream; }
  bool unused() const { return streams_.empty(); }

 private:
  friend struct Http2Callbacks;

  Stream* Find(int32_t id);
  void OnBegin(int32_t id);
  void OnField(int32_t id, std::string_view name, std::string_view value);
  void OnHeadRead(int32_t id, bool whole);
  void OnData(int32_t id, std::string_view bytes);
  void OnEnd(int32_t id);
  void OnReset();
  void OnClosed(int32_t id, bool well);
  size_t ReadBody(int32_t id, char* out, size_t size, bool* end);
  bool WithinLimits(Stream& stream);

  const HttpServer::Options& options_;
  const int connection_;
  Host& host_;
  nghttp2_session* session_ = nullptr;
  std::unordered_map<int32_t, std::shared_ptr<Stream>> streams_;
  bool listening_ = true;
  int32_t last_request_ = std::numeric_limits<int32_t>::max();  // later streams are not handled
  int reset_budget_;
};

}  // namespace ipp::simulator
