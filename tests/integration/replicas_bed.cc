#include "tests/integration/replicas_bed.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"
#include "kustom/ipp/v1/simulation.grpc.pb.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;

simulator::Simulator::Options Impatient() {
  simulator::Simulator::Options options;
  options.webhook_initial_backoff = std::chrono::milliseconds(20);
  options.webhook_max_backoff = std::chrono::milliseconds(200);
  return options;
}

}  // namespace

FreshDatabase::FreshDatabase(PostgresServer& server)
    : server_(server), name_(server.CreateDatabase()) {}

FreshDatabase::~FreshDatabase() { EXPECT_TRUE(server_.DropDatabase(name_).ok()); }

std::string FreshDatabase::dsn(absl::string_view application) const {
  return absl::StrCat(server_.conninfo(name_), " application_name=", application, "\n");
}

std::string FreshDatabase::Execute(const std::string& sql) const {
  return server_.Execute(name_, sql).value();
}

ReplicasBed::ReplicasBed(const Configure& configure)
    : simulator(Impatient()), base_(TestConfig(directory, simulator.base_url())) {
  base_.clear_store();
  const auto start = [&](const std::string& name) {
    config::Config config = NewConfig(name);
    if (configure) configure(name, config);
    return std::make_unique<RunningGateway>(std::move(config));
  };
  a = start("a");
  b = start("b");
}

ReplicasBed::~ReplicasBed() {
  for (const RunningGateway* gateway : gateways()) {
    if (gateway == nullptr) continue;
    EXPECT_EQ(gateway->Metric("ipp_events_order_violations_total"), 0);
    EXPECT_EQ(gateway->Metric("ipp_events_gaps_total"), 0);
    EXPECT_EQ(gateway->Metric("ipp_events_duplicates_total"), 0);
  }
}

config::Config ReplicasBed::NewConfig(const std::string& name) const {
  config::Config config = base_;
  config.mutable_store()->mutable_postgres()->set_dsn_file(
      directory.Write(name + ".dsn", database.dsn(name)));
  return config;
}

std::string ReplicasBed::NewDevice() const {
  const auto reply = a->Call(&v1::SimulationService::Stub::CreateSimulatedDevice,
                             Text<v1::CreateSimulatedDeviceRequest>("name: 'Till 1'"));
  EXPECT_TRUE(Ok(reply));
  return reply.response.device().id();
}

std::string ReplicasBed::NewSession(const RunningGateway& gateway,
                                    const std::string& device_id) const {
  const auto reply = gateway.Call(&v1::SessionService::Stub::CreateSession,
                                  Text<v1::CreateSessionRequest>(OrderText(device_id)));
  EXPECT_TRUE(Ok(reply));
  return reply.response.session().session_id();
}

RawResponse Deliver(int webhook_port, const SentWebhook& webhook) {
  const std::string body = absl::StrReplaceAll(
      R"({"id": "$I", "merchant_id": "$M", "timestamp": "2026-01-02T03:04:05Z",)"
      R"( "type": "$T", "data": {"session_id": "$S"}})",
      {{"$I", webhook.event_id},
       {"$M", kMerchant},
       {"$T", webhook.type},
       {"$S", webhook.session_id}});
  const std::string headers = SignedHeaders(body, simulator::Simulator::kDefaultSecret, absl::Now(),
                                            "msg_" + webhook.event_id);
  return CallHttp(webhook_port, "POST", "/webhooks/kustom", headers, body);
}

std::string SessionId(int number) {
  return absl::StrFormat("5e550000-0000-4000-8000-%012d", number);
}

SentWebhook MakeWebhook(int event, const std::string& type, int session) {
  return {absl::StrCat("kevt_", event), "ipp." + type, SessionId(session)};
}

std::vector<v1::SessionEvent> Read(EventFeed& feed, size_t count) {
  std::vector<v1::SessionEvent> events;
  while (events.size() < count && !testing::Test::HasFailure()) events.push_back(feed.NextEvent());
  return events;
}

std::vector<v1::SessionEvent> ListAll(const RunningGateway& gateway) {
  std::vector<v1::SessionEvent> events;
  v1::ListSessionEventsRequest request;
  request.set_page_size(50);
  do {
    const auto reply = gateway.Call(&v1::SessionEventService::Stub::ListSessionEvents, request);
    EXPECT_TRUE(Ok(reply));
    events.insert(events.end(), reply.response.events().begin(), reply.response.events().end());
    request.set_page_token(reply.response.next_page_token());
  } while (!request.page_token().empty());
  return events;
}

std::vector<std::string> Places(const std::vector<v1::SessionEvent>& events) {
  std::vector<std::string> places;
  for (const auto& event : events) {
    places.push_back(absl::StrCat(event.cursor(), " ", event.event_id()));
  }
  return places;
}

std::vector<std::string> EventIds(const std::vector<v1::SessionEvent>& events) {
  std::vector<std::string> ids;
  for (const auto& event : events) ids.push_back(event.event_id());
  return ids;
}

}  // namespace ipp
