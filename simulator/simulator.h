#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ipp::simulator {

// A test double of Kustom's In-Person Payments API: REST under /ipp/v1, signed webhooks, control
// under /_sim/. README.md says what it does where the real service's behaviour is not known.
//
// Runs on one thread of its own, which owns all state. Start and destroy it from any thread; the
// destructor stops it, and webhooks not delivered by then are lost.
class Simulator {
 public:
  struct MerchantKey {
    std::string merchant_id;
    std::string key;
  };

  struct Options {
    std::string address = "127.0.0.1";
    uint16_t port = 0;  // 0: any free one

    // A second listener for /_sim/ alone, which no fault reaches; none unless there is a port.
    std::string control_address = "127.0.0.1";
    std::optional<uint16_t> control_port;

    // A further listener for the API, over TLS: HTTP/2 or HTTP/1.1 by ALPN; none unless there is a
    // port, and then with a certificate (or chain) and its key, in PEM.
    std::string tls_address = "127.0.0.1";
    std::optional<uint16_t> tls_port;
    std::string tls_certificate_file;
    std::string tls_key_file;

    // A merchant may have several keys.
    std::vector<MerchantKey> merchants = {{"PM00000001", "kco_test_api_simulator"}};
    size_t locations = 1;  // of each merchant at the start; at least 1
    // Whether the tax of each line must be the tax inside its total. Off by default, because the
    // real service is not known to check it.
    bool strict_tax = false;
    // As in production, where the /dev operations answer 404.
    bool production = false;
    // How long a session may stay open before it is EXPIRED; zero: for ever.
    std::chrono::seconds session_ttl{3600};
    size_t kept_requests = 50'000;  // for /_sim/requests

    std::vector<std::string> webhook_urls;     // http only
    std::vector<std::string> webhook_secrets;  // whsec_<base64>; all sign; none: kDefaultSecret
    std::chrono::milliseconds webhook_initial_backoff{1000};
    double webhook_backoff_factor = 2.0;
    std::chrono::milliseconds webhook_max_backoff{60'000};
    std::chrono::milliseconds webhook_give_up_after{std::chrono::hours(72)};
    std::chrono::milliseconds webhook_timeout{10'000};  // one attempt
    bool webhook_ordered_by_session = true;
    size_t webhook_connections = 16;  // attempts at the same time, to each receiver

    std::vector<std::string> dialects;   // names of DialectTable, in force from the start
    std::string faults;                  // the JSON document of PUT /_sim/faults; empty: no faults
    std::optional<uint64_t> fault_seed;  // goes before the one in the document
  };

  static constexpr char kDefaultSecret[] = "whsec_aXBwLXNpbXVsYXRvci1kZWZhdWx0LXNlY3JldC0wMDE=";

  // Null on bad options, or a file or an address that cannot be used; *error then says which.
  static std::unique_ptr<Simulator> Start(const Options& options, std::string* error);
  ~Simulator();
  Simulator(const Simulator&) = delete;
  Simulator& operator=(const Simulator&) = delete;

  uint16_t port() const;
  uint16_t control_port() const;  // port() if /_sim/ has no listener of its own
  uint16_t tls_port() const;      // 0: there is none

 private:
  class Impl;
  explicit Simulator(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace ipp::simulator
