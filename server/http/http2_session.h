#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/http/http2_call.h"

namespace ipp::http {

// Whether the request can be sent in valid HTTP/2 (RFC 9113, 8.2); brings the names of its headers
// into lower case. INVALID_ARGUMENT otherwise.
absl::Status CheckHttp2Request(HttpRequest* request);

// The client's side of one HTTP/2 connection, between frames and calls: it knows neither socket nor
// TLS. One thread.
//
// Memory is bounded whatever the upstream sends: answers by their limits, what is to be said in
// reply (acknowledgements) by nghttp2, which ends the connection beyond 1,000 such frames.
class Http2Session {
 public:
  // What the session reports, inside Receive() and Take(). After OnAnswered(), OnTooLarge() and
  // OnStreamEnded() the session knows the call no longer.
  class Host {
   public:
    virtual ~Host() = default;
    virtual void OnSettings() = 0;  // the upstream's settings came: requests may be sent
    virtual void OnGoAway() = 0;    // no more requests
    // The head of the call's request is in what Take() returns.
    virtual void OnCommitted(Http2Call& call) = 0;
    virtual void OnAnswered(Http2Call& call) = 0;
    virtual void OnTooLarge(Http2Call& call) = 0;
    // The stream ended before its answer was whole. `code`: an error code of RFC 9113, section 7.
    virtual void OnStreamEnded(Http2Call& call, uint32_t code) = 0;
  };

  // Both must outlive the session.
  Http2Session(const Http2Shared& shared, Host* host);
  ~Http2Session();
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;

  // False if the connection takes no more requests.
  bool Submit(Http2Call* call);
  // Ends the stream of a call early; the session forgets the call.
  void Reset(Http2Call* call);
  void Ping();
  // Says that the connection ends.
  void GoAway();

  // Takes what came. False if the connection must end; Take() may still have something to say.
  bool Receive(absl::string_view bytes);
  // Appends what is to be sent to `*out`, about `most` bytes at a time. False as above.
  bool Take(size_t most, std::string* out);

  // How many requests the upstream takes at once.
  int max_streams() const;

 private:
  struct Callbacks;

  void OnHeader(int32_t stream, absl::string_view name, absl::string_view value);
  void OnFrame(const nghttp2_frame& frame);
  void OnData(int32_t stream, absl::string_view bytes);
  void OnClosed(int32_t stream, uint32_t code);
  void AddFields(const HttpRequest& request, const std::string& length);
  Http2Call* Find(int32_t stream) const;
  void Forget(const Http2Call& call);

  const Http2Shared& shared_;
  Host* const host_;
  nghttp2_session* session_ = nullptr;
  std::vector<nghttp2_nv> fields_;  // of the request being submitted
};

}  // namespace ipp::http
