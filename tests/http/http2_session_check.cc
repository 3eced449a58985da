#include "tests/http/http2_session_check.h"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "server/base/metrics.h"
#include "server/http/http2_session.h"
#include "tests/support/require.h"

namespace ipp::http {
namespace {

constexpr size_t kMaxBody = 1000;
constexpr size_t kMaxReply = 1024 * 1024;

Http2Shared MakeShared() {
  static Metrics metrics;
  CurlOptions common;
  common.max_response_bytes = kMaxBody;
  return {{.common = std::move(common)},
          {true, "upstream.test", "443", "upstream.test"},
          nullptr,
          nullptr,
          metrics.counter("opened", ""),
          metrics.counter("refused", ""),
          metrics.gauge("in_flight", "")};
}

class Host final : public Http2Session::Host {
 public:
  void OnSettings() override {}
  void OnGoAway() override {}
  void OnCommitted(Http2Call& call) override {
    Require(under_way.count(&call) == 1, "a call leaves that has ended");
    call.committed = true;
  }
  void OnAnswered(Http2Call& call) override {
    Ended(call);
    const HttpResult result = call.answer.Take();
    Require(result.response.body.size() <= kMaxBody, "a body beyond the limit");
    if (!result.status.ok()) return;
    Require(result.response.code >= 200 && result.response.code <= 999, "no code of an answer");
    size_t bytes = 0;
    for (const auto& [name, value] : result.response.headers) {
      bytes += name.size() + value.size();
      Require(!name.empty() && name == absl::AsciiStrToLower(name), "a name not in lower case");
      Require(value.find_first_of(std::string("\r\n\0", 3)) == value.npos, "a value with a break");
    }
    Require(bytes <= 64 * 1024, "headers beyond the limit");
  }
  void OnTooLarge(Http2Call& call) override { Ended(call); }
  void OnStreamEnded(Http2Call& call, uint32_t) override { Ended(call); }

  std::set<Http2Call*> under_way;

 private:
  void Ended(Http2Call& call) {
    Require(under_way.erase(&call) == 1, "a call ends that is not under way");
  }
};

}  // namespace

void CheckHttp2Session(absl::string_view bytes) {
  static const Http2Shared& shared = *new Http2Shared(MakeShared());
  if (bytes.empty()) return;
  const size_t pieces = static_cast<unsigned char>(bytes[0]) % 8 + 1;
  bytes.remove_prefix(1);

  Http2Call calls[4];
  Host host;
  Http2Session session(shared, &host);
  std::string out;
  for (Http2Call& call : calls) {
    call.request = {"POST", "/", {{"a", "b"}}, std::string(20, 'x'), Repeatable::kNo};
    call.Reset(kMaxBody);
    host.under_way.insert(&call);
    Require(session.Submit(&call), "a new session takes no call");
  }
  bool goes_on = session.Take(kMaxReply, &out);
  // One call is ended early.
  host.under_way.erase(&calls[3]);
  session.Reset(&calls[3]);
  for (size_t i = 0; i < pieces && goes_on; ++i) {
    const size_t size = i + 1 == pieces ? bytes.size() : bytes.size() / pieces;
    goes_on = session.Receive(bytes.substr(0, size));
    bytes.remove_prefix(size);
    out.clear();
    goes_on = session.Take(kMaxReply, &out) && goes_on;
    Require(out.size() < kMaxReply, "a flood of replies");
  }
}

}  // namespace ipp::http
