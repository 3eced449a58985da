#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/metrics.h"
#include "server/http/curl_transport.h"
#include "server/http/http2_transport.h"
#include "tests/support/connect_proxy.h"
#include "tests/support/http_gate.h"
#include "tests/support/http_relay.h"
#include "tests/support/http_wait.h"
#include "tests/support/tls_front.h"

namespace ipp::http {

// What is spoken, and which transport speaks it.
enum class Wire {
  kHttp1,           // libcurl
  kHttp1Tls,        // libcurl
  kHttp2Tls,        // libcurl
  kHttp2Transport,  // HTTP/2 over TLS, without libcurl
  kFallback,        // HTTP/1.1 over TLS: the HTTP/2 transport, fallen back to libcurl
  kProxied,         // libcurl, HTTP/1.1 over TLS, through a proxy
  kProxiedHttp2,    // libcurl, HTTP/2 over TLS, through a proxy
};

inline std::string WireName(Wire wire) {
  switch (wire) {
    case Wire::kHttp1:
      return "Http1";
    case Wire::kHttp1Tls:
      return "Http1Tls";
    case Wire::kHttp2Tls:
      return "Http2Tls";
    case Wire::kHttp2Transport:
      return "Http2Transport";
    case Wire::kFallback:
      return "Fallback";
    case Wire::kProxied:
      return "Proxied";
    case Wire::kProxiedHttp2:
      return "ProxiedHttp2";
  }
  return "";
}

inline bool SpeaksHttp2(Wire wire) {
  return wire == Wire::kHttp2Tls || wire == Wire::kHttp2Transport || wire == Wire::kProxiedHttp2;
}

inline std::unique_ptr<HttpTransport> NewTransport(Wire wire, CurlOptions options,
                                                   Metrics* metrics) {
  const bool by_curl = wire != Wire::kHttp2Transport && wire != Wire::kFallback;
  auto transport = by_curl ? NewCurlTransport(std::move(options), metrics)
                           : NewHttp2Transport({.common = std::move(options)}, metrics);
  EXPECT_TRUE(transport.ok()) << transport.status();
  return *std::move(transport);
}

// What the transport talks to: a proxy or none, relay, then nghttpx where there is TLS, then gate.
// Handlers of the gate may use what is here: it is all there before the first request.
class HttpUpstream {
 public:
  explicit HttpUpstream(Wire on, HttpGate::Handler handler) : wire(on), gate(std::move(handler)) {
    int port = gate.port();
    if (wire != Wire::kHttp1) {
      certificate.emplace();
      front.emplace(TlsFront::Options{port, SpeaksHttp2(wire)}, *certificate);
      port = front->port();
    }
    relay.emplace(port);
    options.base_url =
        absl::StrCat(front.has_value() ? "https" : "http", "://127.0.0.1:", relay->port());
    if (certificate.has_value()) options.ca_file = certificate->cert_file();
    if (wire == Wire::kProxied || wire == Wire::kProxiedHttp2) {
      proxy.emplace();
      options.proxy = proxy->url();
    }
  }

  std::unique_ptr<HttpTransport> NewTransport() {
    return http::NewTransport(wire, options, &metrics);
  }

  // How many requests for `target` reached the gate.
  int Seen(absl::string_view target) const {
    int count = 0;
    for (const GateRequest& request : gate.requests()) count += request.target == target ? 1 : 0;
    return count;
  }

  // How many connections came in, without the one on which a fallback learnt that it is one.
  size_t Connections() const { return relay->accepted() - (wire == Wire::kFallback ? 1 : 0); }

  const Wire wire;
  HttpGate gate;
  std::optional<TestCertificate> certificate;
  std::optional<TlsFront> front;
  std::optional<HttpRelay> relay;
  std::optional<ConnectProxy> proxy;
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
inline HttpResult CallOnce(CurlOptions options, HttpRequest request, Wire wire = Wire::kHttp1) {
  Metrics metrics;
  const auto transport = NewTransport(wire, std::move(options), &metrics);
  return Call(*transport, std::move(request));
}
inline HttpResult CallOnce(const HttpUpstream& upstream, HttpRequest request) {
  return CallOnce(upstream.options, std::move(request), upstream.wire);
}

}  // namespace ipp::http
