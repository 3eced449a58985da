#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/string_view.h"
#include "tests/support/gateway_streams.h"
#include "tests/support/gateway_under_test.h"
#include "tests/support/postgres_server.h"

namespace ipp {

// Waits for what comes by itself; false when it does not.
template <typename F>
bool Eventually(F condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

// An empty database of a real server, for as long as this lives.
class FreshDatabase {
 public:
  explicit FreshDatabase(PostgresServer& server = PostgresServer::Shared());
  ~FreshDatabase();
  FreshDatabase(const FreshDatabase&) = delete;
  FreshDatabase& operator=(const FreshDatabase&) = delete;

  PostgresServer& server() const { return server_; }
  // Connections made with it are named `application`.
  std::string dsn(absl::string_view application) const;
  std::string Execute(const std::string& sql) const;

 private:
  PostgresServer& server_;
  const std::string name_;
};

// Two gateways, `a` and `b`, on one database, and a simulator that announces nothing unless a test
// says so. At its end no gateway that still runs may have seen the log's order broken.
class ReplicasBed {
 public:
  using Configure = std::function<void(const std::string& name, config::Config& config)>;

  explicit ReplicasBed(const Configure& configure = nullptr);
  ~ReplicasBed();

  // Of a further gateway on the same database.
  config::Config NewConfig(const std::string& name) const;
  // Both.
  std::vector<RunningGateway*> gateways() const { return {a.get(), b.get()}; }

  std::string NewDevice() const;
  // Made through a gateway.
  std::string NewSession(const RunningGateway& gateway, const std::string& device_id) const;

  FreshDatabase database;
  TestDirectory directory;
  RunningSimulator simulator;
  std::unique_ptr<RunningGateway> a;
  std::unique_ptr<RunningGateway> b;

 private:
  config::Config base_;  // without a store
};

// The upstream's hand: one delivery of a webhook, signed, to a webhook port.
RawResponse Deliver(int webhook_port, const SentWebhook& webhook);
inline RawResponse Deliver(RunningGateway& gateway, const SentWebhook& webhook) {
  return Deliver(gateway.app().webhook_port(), webhook);
}
// "kevt_7" of session 3: `type` without "ipp.".
SentWebhook MakeWebhook(int event, const std::string& type, int session);
std::string SessionId(int number);

// The next `count` events of a stream, and all that is in the log, asked for in small pages.
std::vector<kustom::ipp::v1::SessionEvent> Read(EventFeed& feed, size_t count);
std::vector<kustom::ipp::v1::SessionEvent> ListAll(const RunningGateway& gateway);
// "<cursor> <event id>" of each: equal for two readers when they saw the same in the same places.
std::vector<std::string> Places(const std::vector<kustom::ipp::v1::SessionEvent>& events);
std::vector<std::string> EventIds(const std::vector<kustom::ipp::v1::SessionEvent>& events);

}  // namespace ipp
