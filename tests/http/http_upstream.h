#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/metrics.h"
#include "server/http/curl_transport.h"
#include "tests/support/http_gate.h"
#include "tests/support/http_relay.h"
#include "tests/support/http_wait.h"
#include "tests/support/tls_front.h"

namespace ipp::http {

enum class Wire { kHttp1, kHttp1Tls, kHttp2Tls };

inline std::string WireName(Wire wire) {
  return wire == Wire::kHttp1 ? "Http1" : wire == Wire::kHttp1Tls ? "Http1Tls" : "Http2Tls";
}

// What the transport talks to: relay, then nghttpx where there is TLS, then gate. Handlers of the
// gate may use what is here: it is all there before the first request.
class HttpUpstream {
 public:
  explicit HttpUpstream(Wire wire, HttpGate::Handler handler) : gate(std::move(handler)) {
    int port = gate.port();
    if (wire != Wire::kHttp1) {
      certificate.emplace();
      front.emplace(TlsFront::Options{port, wire == Wire::kHttp2Tls}, *certificate);
      port = front->port();
    }
    relay.emplace(port);
    options.base_url =
        absl::StrCat(front.has_value() ? "https" : "http", "://127.0.0.1:", relay->port());
    if (certificate.has_value()) options.ca_file = certificate->cert_file();
  }

  std::unique_ptr<HttpTransport> NewTransport() {
    auto transport = NewCurlTransport(options, &metrics);
    EXPECT_TRUE(transport.ok()) << transport.status();
    return *std::move(transport);
  }

  // How many requests for `target` reached the gate.
  int Seen(absl::string_view target) const {
    int count = 0;
    for (const GateRequest& request : gate.requests()) count += request.target == target ? 1 : 0;
    return count;
  }

  HttpGate gate;
  std::optional<TestCertificate> certificate;
  std::optional<TlsFront> front;
  std::optional<HttpRelay> relay;
  CurlOptions options;
  Metrics metrics;
};

inline HttpRequest Get(std::string target, absl::Time deadline = absl::InfiniteFuture()) {
  return {"GET", std::move(target), {}, "", Repeatable::kYes, deadline};
}
inline HttpRequest Post(std::string target, std::string body,
                        absl::Time deadline = absl::InfiniteFuture()) {
  return {"POST",          std::move(target), {{"content-type", "application/json"}},
          std::move(body), Repeatable::kNo,   deadline};
}

inline void SayOk(const GateRequest&, GatePeer& peer) { peer.Respond(200, "ok"); }

// One request, over a transport of its own.
inline HttpResult CallOnce(CurlOptions options, HttpRequest request) {
  Metrics metrics;
  auto transport = NewCurlTransport(std::move(options), &metrics);
  EXPECT_TRUE(transport.ok()) << transport.status();
  return Call(**transport, std::move(request));
}

}  // namespace ipp::http
