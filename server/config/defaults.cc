#include "server/config/config.h"

namespace ipp::config {
namespace {

constexpr int64_t kMinute = 60;
constexpr int64_t kHour = 60 * kMinute;

}  // namespace

Config Defaults() {
  Config config;
  config.set_listen("127.0.0.1:50051");
  config.set_log_level("info");
  config.set_log_format("text");
  config.mutable_drain_timeout()->set_seconds(20);

  Upstream& upstream = *config.mutable_upstream();
  upstream.mutable_timeout()->set_seconds(10);
  upstream.set_max_in_flight(512);
  upstream.set_connections(2);
  upstream.set_loops(1);
  upstream.set_read_attempts(3);
  upstream.set_transport("libcurl");

  Events& events = *config.mutable_events();
  events.mutable_retention()->set_seconds(168 * kHour);
  events.mutable_heartbeat_interval()->set_seconds(15);
  events.mutable_max_write_stall()->set_seconds(30);
  events.mutable_max_stream_age()->set_seconds(30 * kMinute);
  events.set_max_subscribers(10'000);
  events.set_max_subscribers_per_caller(1000);
  events.set_max_shared_subscriptions_per_caller(100);
  events.set_memory_bytes(128 * 1024 * 1024);

  Reconcile& reconcile = *config.mutable_reconcile();
  reconcile.mutable_first()->set_seconds(30);
  reconcile.mutable_max()->set_seconds(kHour);
  reconcile.mutable_watched()->set_seconds(5);
  reconcile.set_max_in_flight(16);
  reconcile.set_reads_per_second(40);
  reconcile.mutable_overdue()->set_seconds(24 * kHour);

  config.set_caller_proof("any");
  config.set_reflection(true);

  config.mutable_creates()->set_correlation("first_empty");
  config.mutable_creates()->mutable_settle()->set_seconds(10 * kMinute);
  config.mutable_creates()->mutable_send_for()->set_seconds(30);
  config.mutable_creates()->mutable_memory()->set_seconds(720 * kHour);

  Connections& connections = *config.mutable_connections();
  connections.set_max(4096);
  connections.set_max_calls(2000);
  connections.set_memory_bytes(128 * 1024 * 1024);
  connections.mutable_handshake_timeout()->set_seconds(10);
  connections.mutable_keepalive_time()->set_seconds(30);
  connections.mutable_keepalive_timeout()->set_seconds(10);
  connections.mutable_max_idle()->set_seconds(15 * kMinute);
  connections.mutable_max_age()->set_seconds(30 * kMinute);

  Webhooks& webhooks = *config.mutable_webhooks();
  webhooks.set_listen("127.0.0.1:8080");
  webhooks.set_path("/webhooks/kustom");
  webhooks.mutable_tolerance()->set_seconds(5 * kMinute);
  webhooks.set_max_body_bytes(262'144);
  webhooks.set_max_connections(1024);
  webhooks.mutable_request_timeout()->set_seconds(10);
  webhooks.mutable_idle_timeout()->set_seconds(75);

  Admin& admin = *config.mutable_admin();
  admin.set_listen("127.0.0.1:9090");
  admin.set_max_connections(1024);
  admin.mutable_request_timeout()->set_seconds(10);
  admin.mutable_idle_timeout()->set_seconds(75);
  admin.set_page(true);

  Tracing& tracing = *config.mutable_tracing();
  tracing.set_max_queued(2048);
  tracing.mutable_export_interval()->set_seconds(5);
  return config;
}

}  // namespace ipp::config
