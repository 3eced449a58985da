#include "server/config/validate.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "server/base/host_port.h"
#include "server/config/config.h"

namespace ipp::config {
namespace {

bool AllVisibleAscii(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isgraph);
}

class Validator {
 public:
  std::vector<FieldViolation> Run(const Config& config) && {
    Listeners(config);
    OneOf("log_level", config.log_level(), {"debug", "info", "warning", "error", "off"});
    OneOf("log_format", config.log_format(), {"text", "json"});
    CheckUpstream(config.upstream());
    CheckMerchants(config);
    CheckStore(config.store());
    CheckEvents(config.events());
    CheckReconcile(config.reconcile());
    OneOf("creates.correlation", config.creates().correlation(),
          {"first_empty", "merchant_data", "merchant_reference2", "off"});
    Between("creates.settle", config.creates().settle(), absl::Seconds(1), absl::Hours(24));
    Between("creates.send_for", config.creates().send_for(), absl::Milliseconds(100),
            absl::Minutes(5));
    // A retention that is out of its own range is reported once, not twice.
    const absl::Duration retention = ToDuration(config.events().retention());
    Between("creates.memory", config.creates().memory(),
            retention <= absl::Hours(24 * 366) ? retention : absl::ZeroDuration(),
            absl::Hours(24 * 366));
    CheckTls(config);
    CheckCallers(config);
    CheckConnections(config.connections());
    CheckWebhooks(config.webhooks());
    CheckWeb("admin.", config.admin());
    CheckTracing(config.tracing());
    Between("drain_timeout", config.drain_timeout(), absl::ZeroDuration(), absl::Hours(1));
    return std::move(violations_);
  }

 private:
  void Add(std::string field, std::string description) {
    violations_.push_back({std::move(field), std::move(description)});
  }

  void Required(std::string field, absl::string_view value) {
    if (value.empty()) Add(std::move(field), "is required");
  }

  void OneOf(std::string field, absl::string_view value, std::vector<std::string> allowed) {
    if (std::find(allowed.begin(), allowed.end(), value) == allowed.end()) {
      Add(std::move(field), absl::StrCat("must be one of ", absl::StrJoin(allowed, ", ")));
    }
  }

  void Between(std::string field, int value, int least, int most) {
    if (value < least || value > most) {
      Add(std::move(field), absl::StrCat("must be from ", least, " to ", most));
    }
  }

  void Between(std::string field, const google::protobuf::Duration& value, absl::Duration least,
               absl::Duration most) {
    const absl::Duration duration = ToDuration(value);
    if (duration < least || duration > most) {
      Add(std::move(field), absl::StrCat("must be from ", absl::FormatDuration(least), " to ",
                                         absl::FormatDuration(most)));
    }
  }

  // The second of two equal values gets the violation.
  void Unique(std::string field, const std::string& value, std::set<std::string>* seen) {
    if (!value.empty() && !seen->insert(value).second) Add(std::move(field), "is there twice");
  }

  void Listeners(const Config& config) {
    const std::pair<std::string, std::string> all[] = {
        {"listen", config.listen()},
        {"webhooks.listen", config.webhooks().listen()},
        {"admin.listen", config.admin().listen()}};
    std::map<int, std::string> ports;
    for (const auto& [field, value] : all) {
      const std::optional<HostPort> address = ParseHostPort(value);
      if (!address) {
        Add(field, "must be host:port, for example 127.0.0.1:50051 or [::1]:50051");
        continue;
      }
      if (address->port == 0) continue;
      if (const auto [first, fresh] = ports.emplace(address->port, field); !fresh) {
        Add(field, absl::StrCat("must have another port than ", first->second));
      }
    }
  }

  void CheckUpstream(const Upstream& upstream) {
    CheckBaseUrl(upstream.base_url());
    Between("upstream.timeout", upstream.timeout(), absl::Milliseconds(10), absl::Minutes(5));
    Between("upstream.max_in_flight", upstream.max_in_flight(), 1, 100'000);
    Between("upstream.connections", upstream.connections(), 1, 100);
    Between("upstream.loops", upstream.loops(), 1, 64);
    Between("upstream.read_attempts", upstream.read_attempts(), 1, 10);
    OneOf("upstream.transport", upstream.transport(), {"libcurl", "http2"});
    CheckProxy(upstream);
  }

  // The value is never quoted: it could contain a password.
  void CheckProxy(const Upstream& upstream) {
    const std::string field = "upstream.proxy";
    absl::string_view proxy = upstream.proxy();
    if (proxy.empty()) return;
    if (!absl::ConsumePrefix(&proxy, "http://")) return Add(field, "must begin with http://");
    if (proxy.find('@') != absl::string_view::npos) {
      return Add(field, "must not contain a user name or password");
    }
    const std::optional<HostPort> address = ParseHostPort(std::string(proxy));
    if (!address || address->port == 0) {
      return Add(field, "must be http://host:port, without anything behind the port");
    }
    if (upstream.transport() == "http2") {
      Add(field,
          "does not go together with upstream.transport http2, which uses no proxy: use "
          "libcurl");
    }
  }

  // The value is never quoted: it could contain a password.
  void CheckBaseUrl(absl::string_view url) {
    const std::string field = "upstream.base_url";
    if (url.empty()) return Required(field, url);
    const bool https = absl::ConsumePrefix(&url, "https://");
    if (!https && !absl::ConsumePrefix(&url, "http://")) {
      return Add(field, "must begin with https:// (or http:// to loopback)");
    }
    if (url.find('@') != absl::string_view::npos) {
      return Add(field, "must not contain a user name or password");
    }
    if (url.find_first_of("/?#") != absl::string_view::npos) {
      return Add(field, "must end after the host and port: no path, no '/'");
    }
    const absl::string_view brackets_end = url.substr(url.rfind(']') + 1);  // npos + 1 is 0
    const bool has_port = brackets_end.find(':') != absl::string_view::npos;
    const std::optional<HostPort> address =
        ParseHostPort(has_port ? std::string(url) : absl::StrCat(url, https ? ":443" : ":80"));
    if (!address || address->port == 0)
      return Add(field, "must name a host, with a port or without");
    if (!https && !IsLoopback(address->host)) {
      Add(field, "must be https:// unless the host is loopback");
    }
  }

  void CheckMerchants(const Config& config) {
    if (config.merchants().empty()) Add("merchants", "at least one is required");
    std::set<std::string> ids;
    for (int i = 0; i < config.merchants_size(); ++i) {
      const Merchant& merchant = config.merchants(i);
      const std::string path = absl::StrCat("merchants[", i, "].");
      if (!AllVisibleAscii(merchant.id())) {
        Add(path + "id", merchant.id().empty()
                             ? "is required"
                             : "must be visible ASCII characters, without spaces");
      }
      Unique(path + "id", merchant.id(), &ids);
      Required(path + "api_key_file", merchant.api_key_file());
      // RFC 7617, section 2: the first colon ends the user name.
      if (merchant.username().find(':') != std::string::npos) {
        Add(path + "username", "must not contain a colon");
      }
    }
  }

  void CheckStore(const Store& store) {
    switch (store.kind_case()) {
      case Store::kSqlite:
        return Required("store.sqlite.path", store.sqlite().path());
      case Store::kPostgres:
        return Required("store.postgres.dsn_file", store.postgres().dsn_file());
      case Store::KIND_NOT_SET:
        return Add("store", "is required, for example {sqlite: {path: gateway.db}}");
    }
  }

  void CheckEvents(const Events& events) {
    Between("events.retention", events.retention(), absl::Seconds(1), absl::Hours(24 * 366));
    Between("events.heartbeat_interval", events.heartbeat_interval(), absl::Milliseconds(100),
            absl::Minutes(10));
    Between("events.max_write_stall", events.max_write_stall(), absl::Milliseconds(100),
            absl::Hours(1));
    Between("events.max_stream_age", events.max_stream_age(), absl::Seconds(1),
            absl::Hours(24 * 7));
    Between("events.max_subscribers", events.max_subscribers(), 1, 1'000'000);
    Between("events.max_subscribers_per_caller", events.max_subscribers_per_caller(), 1, 1'000'000);
    Between("events.max_shared_subscriptions_per_caller",
            events.max_shared_subscriptions_per_caller(), 1, 10'000);
    Between("events.memory_bytes", events.memory_bytes(), 8 * 1024 * 1024, 2'000'000'000);
  }

  void CheckReconcile(const Reconcile& reconcile) {
    Between("reconcile.first", reconcile.first(), absl::Milliseconds(100), absl::Hours(1));
    Between("reconcile.max", reconcile.max(), ToDuration(reconcile.first()), absl::Hours(24));
    Between("reconcile.watched", reconcile.watched(), absl::Milliseconds(100), absl::Hours(1));
    Between("reconcile.max_in_flight", reconcile.max_in_flight(), 1, 1000);
    Between("reconcile.reads_per_second", reconcile.reads_per_second(), 1, 10'000);
    Between("reconcile.overdue", reconcile.overdue(), absl::Seconds(1), absl::Hours(24 * 366));
  }

  void CheckTls(const Config& config) {
    if (config.has_tls()) {
      Required("tls.cert_file", config.tls().cert_file());
      Required("tls.key_file", config.tls().key_file());
      if (config.insecure()) Add("insecure", "must not be true when tls is configured");
    }
    const std::optional<HostPort> listen = ParseHostPort(config.listen());
    if (!listen || IsLoopback(listen->host)) return;
    if (!config.has_tls() && !config.insecure()) {
      Add("tls", "is required unless listen is a loopback address or insecure is true");
    }
    if (config.callers().empty()) {
      Add("callers", "at least one is required unless listen is a loopback address");
    }
  }

  void CheckProof(const Config& config, const CallerConfig& caller, const std::string& path,
                  std::set<std::string>* sans) {
    const bool both = config.caller_proof() == "both";
    if (both || caller.tls_san().empty()) {
      Required(path + "token_sha256_file", caller.token_sha256_file());
    }
    if (both && caller.tls_san().empty()) {
      Add(path + "tls_san", "at least one is required where caller_proof is both");
    }
    if (!caller.tls_san().empty() && config.tls().client_ca_file().empty()) {
      Add(path + "tls_san", "needs tls.client_ca_file");
    }
    for (int s = 0; s < caller.tls_san_size(); ++s) {
      const std::string field = absl::StrCat(path, "tls_san[", s, "]");
      if (!AllVisibleAscii(caller.tls_san(s))) Add(field, "must be a URI or a DNS name");
      if (absl::StrContains(caller.tls_san(s), '*')) Add(field, "must be a whole name, without *");
      // Compared in the same way as at run time: the case of a DNS name does not matter.
      const bool uri = absl::StrContains(caller.tls_san(s), "://");
      Unique(field, uri ? caller.tls_san(s) : absl::AsciiStrToLower(caller.tls_san(s)), sans);
    }
  }

  void CheckCallers(const Config& config) {
    std::set<std::string> known;
    for (const Merchant& merchant : config.merchants()) known.insert(merchant.id());
    std::set<std::string> names, sans;
    OneOf("caller_proof", config.caller_proof(), {"any", "both"});
    if (config.caller_proof() == "both" && config.callers().empty()) {
      Add("caller_proof", "must not be both without callers");
    }
    for (int i = 0; i < config.callers_size(); ++i) {
      const CallerConfig& caller = config.callers(i);
      const std::string path = absl::StrCat("callers[", i, "].");
      if (!AllVisibleAscii(caller.name())) {
        Add(path + "name", caller.name().empty()
                               ? "is required"
                               : "must be visible ASCII characters, without spaces");
      }
      Unique(path + "name", caller.name(), &names);
      CheckProof(config, caller, path, &sans);
      Between(path + "limits.requests_per_second", caller.limits().requests_per_second(), 0,
              1'000'000);
      Between(path + "limits.in_flight", caller.limits().in_flight(), 0, 1'000'000);
      Between(path + "limits.subscribers", caller.limits().subscribers(), 0, 1'000'000);
      if (caller.merchants().empty()) Add(path + "merchants", "at least one is required");
      std::set<std::string> mine;
      for (int m = 0; m < caller.merchants_size(); ++m) {
        const std::string field = absl::StrCat(path, "merchants[", m, "]");
        if (!known.contains(caller.merchants(m))) Add(field, "is not the id of a merchant above");
        Unique(field, caller.merchants(m), &mine);
      }
      if (caller.permissions().empty()) Add(path + "permissions", "at least one is required");
      for (int p = 0; p < caller.permissions_size(); ++p) {
        Required(absl::StrCat(path, "permissions[", p, "]"), caller.permissions(p));
      }
    }
  }

  void CheckConnections(const Connections& connections) {
    Between("connections.max", connections.max(), 1, 1'000'000);
    Between("connections.max_per_peer", connections.max_per_peer(), 0, 1'000'000);
    Between("connections.max_calls", connections.max_calls(), 1, 1'000'000);
    Between("connections.memory_bytes", connections.memory_bytes(), 16 * 1024 * 1024,
            std::numeric_limits<int32_t>::max());
    for (const auto& [field, value] :
         {std::pair{"handshake_timeout", connections.handshake_timeout()},
          {"keepalive_time", connections.keepalive_time()},
          {"keepalive_timeout", connections.keepalive_timeout()},
          {"max_idle", connections.max_idle()},
          {"max_age", connections.max_age()}}) {
      Between(absl::StrCat("connections.", field), value, absl::Milliseconds(100),
              absl::Hours(24 * 7));
    }
  }

  // The settings that the two HTTP ports share.
  template <typename Section>
  void CheckWeb(const std::string& path, const Section& section) {
    Between(path + "max_connections", section.max_connections(), 1, 100'000);
    Between(path + "request_timeout", section.request_timeout(), absl::Milliseconds(100),
            absl::Minutes(10));
    Between(path + "idle_timeout", section.idle_timeout(), absl::Milliseconds(100), absl::Hours(1));
  }

  void CheckWebhooks(const Webhooks& webhooks) {
    if (webhooks.path().empty() || webhooks.path().front() != '/' ||
        !AllVisibleAscii(webhooks.path()) ||
        webhooks.path().find_first_of("?#") != std::string::npos) {
      Add("webhooks.path", "must begin with '/' and have no query, fragment or space");
    }
    Between("webhooks.tolerance", webhooks.tolerance(), absl::Seconds(1), absl::Hours(24));
    Between("webhooks.max_body_bytes", webhooks.max_body_bytes(), 1024, 16 * 1024 * 1024);
    CheckWeb("webhooks.", webhooks);
  }

  // The value is never quoted: it could contain a password.
  void CheckEndpoint(absl::string_view url) {
    const std::string field = "tracing.otlp_endpoint";
    if (!absl::ConsumePrefix(&url, "https://") && !absl::ConsumePrefix(&url, "http://")) {
      return Add(field, "must begin with https:// or http://");
    }
    if (!AllVisibleAscii(url) || url.find_first_of("@?#") != absl::string_view::npos) {
      return Add(field, "must not contain a user name, a password, a query, a fragment or a space");
    }
    const absl::string_view host = url.substr(0, url.find('/'));
    const absl::string_view brackets_end = host.substr(host.rfind(']') + 1);  // npos + 1 is 0
    const bool has_port = brackets_end.find(':') != absl::string_view::npos;
    const auto address = ParseHostPort(has_port ? std::string(host) : absl::StrCat(host, ":1"));
    if (!address || address->port == 0) {
      return Add(field, "must name a host, with a port or without");
    }
    if (absl::EndsWith(absl::StripSuffix(url, "/"), "/v1/traces")) {
      Add(field, "must end before /v1/traces, which is put behind it");
    }
  }

  void CheckTracing(const Tracing& tracing) {
    if (!tracing.otlp_endpoint().empty()) CheckEndpoint(tracing.otlp_endpoint());
    if (!tracing.ca_file().empty() && !absl::StartsWith(tracing.otlp_endpoint(), "https://")) {
      Add("tracing.ca_file", "needs a tracing.otlp_endpoint that begins with https://");
    }
    Between("tracing.max_queued", tracing.max_queued(), 1, 1'000'000);
    Between("tracing.export_interval", tracing.export_interval(), absl::Milliseconds(10),
            absl::Minutes(1));
  }

  std::vector<FieldViolation> violations_;
};

}  // namespace

std::vector<FieldViolation> FindViolations(const Config& config) { return Validator().Run(config); }

}  // namespace ipp::config
