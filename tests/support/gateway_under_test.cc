#include "tests/support/gateway_under_test.h"

#include <openssl/sha.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "kustom/ipp/v1/session.grpc.pb.h"
#include "kustom/ipp/v1/simulation.grpc.pb.h"
#include "server/base/log.h"
#include "server/webhook/signature.h"
#include "tests/support/said.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;

constexpr absl::Duration kPatience = absl::Seconds(30);

std::string Sha256Hex(const std::string& text) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest), sizeof(digest)));
}

simulator::Simulator::Options WithDefaults(const GatewayBed::Options& options) {
  simulator::Simulator::Options result = options.simulator;
  if (options.two_merchants) result.merchants.push_back({kMerchant2, kApiKey2});
  result.webhook_initial_backoff = std::chrono::milliseconds(20);
  return result;
}

config::Config BedConfig(const TestDirectory& directory, const std::string& base_url,
                         const GatewayBed::Options& options) {
  config::Config config = TestConfig(directory, base_url);
  if (options.two_merchants) AddMerchant(directory, kMerchant2, kApiKey2, &config);
  if (options.configure) options.configure(directory, config);
  return config;
}

}  // namespace

TestDirectory::TestDirectory() {
  std::string pattern = (std::filesystem::temp_directory_path() / "ipp-it-XXXXXX").string();
  EXPECT_NE(mkdtemp(pattern.data()), nullptr);
  path_ = pattern;
}

TestDirectory::~TestDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TestDirectory::Write(const std::string& name, const std::string& text) const {
  std::ofstream file(path(name));
  file << text;
  file.close();
  EXPECT_TRUE(file.good()) << path(name);
  return path(name);
}

config::Config TestConfig(const TestDirectory& directory, const std::string& base_url) {
  config::Config config = config::Defaults();
  config.set_listen("127.0.0.1:0");
  config.mutable_webhooks()->set_listen("127.0.0.1:0");
  config.mutable_admin()->set_listen("127.0.0.1:0");
  config.mutable_upstream()->set_base_url(base_url);
  config.mutable_store()->mutable_sqlite()->set_path(directory.path("gateway.db"));
  AddMerchant(directory, kMerchant, kApiKey, &config);
  return config;
}

config::Merchant* AddMerchant(const TestDirectory& directory, const std::string& id,
                              const std::string& api_key, config::Config* config) {
  config::Merchant* merchant = config->add_merchants();
  merchant->set_id(id);
  merchant->set_api_key_file(directory.Write(id + ".key", api_key + "\n"));
  merchant->set_webhook_secrets_file(
      directory.Write(id + ".webhook", absl::StrCat(simulator::Simulator::kDefaultSecret, "\n")));
  return merchant;
}

void AddCaller(const TestDirectory& directory, const std::string& name,
               const std::vector<std::string>& merchants,
               const std::vector<std::string>& permissions, config::Config* config) {
  config::CallerConfig* caller = config->add_callers();
  caller->set_name(name);
  caller->set_token_sha256_file(
      directory.Write(name + ".sha256", Sha256Hex("token-of-" + name) + "\n"));
  for (const std::string& merchant : merchants) caller->add_merchants(merchant);
  for (const std::string& permission : permissions) caller->add_permissions(permission);
}

CallOptions AsCaller(const std::string& name, const std::string& merchant) {
  CallOptions options{.metadata = {{"authorization", "Bearer token-of-" + name}}};
  if (!merchant.empty()) options.metadata["x-merchant-id"] = merchant;
  return options;
}

RunningGateway::RunningGateway(config::Config config,
                               std::shared_ptr<grpc::ChannelCredentials> credentials,
                               App::Options options)
    : config_(std::move(config)), credentials_(std::move(credentials)), options_(options) {
  Start();
}

RunningGateway::~RunningGateway() { Stop(); }

void RunningGateway::Start() {
  if (const char* level = std::getenv("IPP_LOG_LEVEL")) {
    EXPECT_TRUE(SetLogLevel(level).ok()) << level;
  }
  absl::StatusOr<std::unique_ptr<App>> app = App::Start(config_, options_);
  if (!app.ok()) {
    // Nothing of the test can go on.
    ADD_FAILURE() << "the gateway does not start: " << app.status();
    std::abort();
  }
  app_ = *std::move(app);
  drained_ = false;
  channel_ = NewChannel(credentials_);
}

std::shared_ptr<grpc::Channel> RunningGateway::NewChannel(
    std::shared_ptr<grpc::ChannelCredentials> credentials, grpc::ChannelArguments arguments) const {
  if (credentials == nullptr) credentials = grpc::InsecureChannelCredentials();
  // Not to be mixed up with the connections of another test, or of the gateway before.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", app_->grpc_port()), credentials,
                                   arguments);
}

std::string RunningGateway::webhook_url() const {
  return absl::StrCat("http://127.0.0.1:", app_->webhook_port(), config_.webhooks().path());
}

void RunningGateway::Drain() {
  if (!drained_) app_->Drain();
  drained_ = true;
}

void RunningGateway::Stop() {
  if (app_ == nullptr) return;
  // For the scan of the whole suite.
  if (!drained_ && std::getenv("SUITE_LOGS") != nullptr) {
    for (const char* page : {"/metrics", "/configz", "/readyz"}) KeepSaid(Admin(page));
  }
  Drain();
  app_.reset();
}

void RunningGateway::Restart() {
  Stop();
  Start();
}

RawResponse RunningGateway::Webhook(const std::string& headers, const std::string& body) const {
  RawResponse response =
      CallHttp(app_->webhook_port(), "POST", config_.webhooks().path(), headers, body);
  KeepSaid(response.body);
  return response;
}

std::string RunningGateway::Admin(const std::string& path) const {
  return CallHttp(app_->admin_port(), "GET", path).body;
}

double RunningGateway::Metric(const std::string& name,
                              const std::vector<std::string>& labels) const {
  double sum = 0;
  const std::string page = Admin("/metrics");
  for (const absl::string_view line : absl::StrSplit(page, '\n')) {
    absl::string_view rest = line;
    if (!absl::ConsumePrefix(&rest, name) || (rest[0] != ' ' && rest[0] != '{')) continue;
    bool wanted = true;
    for (const std::string& label : labels) wanted = wanted && absl::StrContains(rest, label);
    double value = 0;
    EXPECT_TRUE(absl::SimpleAtod(rest.substr(rest.rfind(' ') + 1), &value)) << line;
    if (wanted) sum += value;
  }
  return sum;
}

void RunningGateway::WaitForMetric(const std::string& name, double value,
                                   const std::vector<std::string>& labels) const {
  const absl::Time end = absl::Now() + kPatience;
  double is = 0;
  while ((is = Metric(name, labels)) != value) {
    ASSERT_LT(absl::Now(), end) << name << " is " << is << ", not " << value;
  }
}

std::string SignedHeaders(const std::string& body, const std::string& secret, absl::Time now,
                          const std::string& id) {
  const absl::StatusOr<std::string> key = webhook::DecodeSecret(secret);
  EXPECT_TRUE(key.ok()) << key.status();
  const std::string timestamp = absl::StrCat(absl::ToUnixSeconds(now));
  return absl::StrCat("Content-Type: application/json\r\nwebhook-id: ", id,
                      "\r\nwebhook-timestamp: ", timestamp,
                      "\r\nwebhook-signature: ", webhook::Sign(*key, id, timestamp, body), "\r\n");
}

GatewayBed::GatewayBed(Options options)
    : simulator(WithDefaults(options)),
      gateway(BedConfig(directory, simulator.base_url(), options)) {
  if (options.webhooks) simulator.SetWebhookUrl(gateway.webhook_url());
}

void GatewayBed::RestartGateway() {
  gateway.Restart();
  simulator.SetWebhookUrl(gateway.webhook_url());
}

std::string GatewayBed::NewDevice(const std::string& name, const CallOptions& options) const {
  v1::CreateSimulatedDeviceRequest request;
  request.set_name(name);
  const auto reply = Call(&v1::SimulationService::Stub::CreateSimulatedDevice, request, options);
  EXPECT_TRUE(Ok(reply));
  return reply.response.device().id();
}

std::string OrderText(const std::string& device_id) {
  return absl::StrCat(R"pb(device_id: ")pb", device_id, R"pb("
                                                             order_amount: 25000
                                                             order_tax_amount: 5000
                                                             purchase_currency: "SEK"
                                                             merchant_reference1: "SHOP-1001"
                                                             order_items {
                                                               type: ORDER_ITEM_TYPE_PHYSICAL
                                                               name: "Coffee"
                                                               quantity: 2
                                                               unit_price: 12500
                                                               total_amount: 25000
                                                               tax_rate: 2500
                                                               total_tax_amount: 5000
                                                             })pb");
}

std::string GatewayBed::NewSession(const std::string& device_id, const CallOptions& options) const {
  const auto reply = Call(&v1::SessionService::Stub::CreateSession,
                          Text<v1::CreateSessionRequest>(OrderText(device_id)), options);
  EXPECT_TRUE(Ok(reply));
  return reply.response.session().session_id();
}

void GatewayBed::Tap(const std::string& session_id, const std::string& outcome,
                     const CallOptions& options) const {
  v1::SimulateCardTapRequest request;
  request.set_session_id(session_id);
  v1::TapOutcome parsed = v1::TAP_OUTCOME_UNSPECIFIED;
  EXPECT_TRUE(v1::TapOutcome_Parse("TAP_OUTCOME_" + outcome, &parsed)) << outcome;
  request.set_outcome(parsed);
  EXPECT_TRUE(Ok(Call(&v1::SimulationService::Stub::SimulateCardTap, request, options)));
}

}  // namespace ipp
