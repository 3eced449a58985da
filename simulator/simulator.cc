#include "simulator/simulator.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <thread>
#include <utility>

#include "simulator/api.h"
#include "simulator/control.h"
#include "simulator/dialects.h"
#include "simulator/fault_gate.h"
#include "simulator/faults.h"
#include "simulator/http_server.h"
#include "simulator/request_log.h"
#include "simulator/tls_context.h"
#include "simulator/webhook_queue.h"
#include "simulator/webhook_transport.h"
#include "simulator/world.h"

namespace ipp::simulator {
namespace {

namespace asio = boost::asio;

WebhookQueue::Options QueueOptions(const Simulator::Options& options) {
  WebhookQueue::Options queue;
  queue.initial_backoff = options.webhook_initial_backoff;
  queue.backoff_factor = options.webhook_backoff_factor;
  queue.max_backoff = options.webhook_max_backoff;
  queue.give_up_after = options.webhook_give_up_after;
  queue.ordered_by_session = options.webhook_ordered_by_session;
  queue.attempts_at_once = options.webhook_connections;
  return queue;
}

bool FillSigner(const std::vector<std::string>& secrets, WebhookSigner* signer,
                std::string* error) {
  for (size_t i = 0; i < secrets.size(); ++i) {
    if (signer->AddSecret(secrets[i])) continue;
    *error = "webhook secret " + std::to_string(i + 1) + " is not whsec_<base64>";
    return false;
  }
  if (signer->empty()) signer->AddSecret(Simulator::kDefaultSecret);
  return true;
}

bool ParseUrls(const std::vector<std::string>& texts, std::vector<Url>* urls, std::string* error) {
  for (const std::string& text : texts) {
    const auto url = Url::Parse(text);
    if (!url) {
      *error = "'" + text + "' is not an http URL";
      return false;
    }
    urls->push_back(*url);
  }
  return true;
}

bool LoadFaults(const Simulator::Options& options, Faults* faults, std::string* error) {
  if (options.fault_seed) faults->SetSeed(*options.fault_seed);
  if (options.faults.empty()) return true;
  const auto document = Body::Parse(options.faults);
  if (document == nullptr) {
    *error = "the fault rules are not a JSON object";
    return false;
  }
  faults->Replace(*document);
  if (options.fault_seed) faults->SetSeed(*options.fault_seed);
  if (document->errors().empty()) return true;
  const auto& [member, what] = document->errors().entries().front();
  *error = "in the fault rules, " + member + " " + what;
  return false;
}

}  // namespace

class Simulator::Impl {
 public:
  Impl(const Options& options, WebhookSigner signer, Faults faults, Dialects dialects)
      : faults_(std::move(faults)),
        dialects_(std::move(dialects)),
        transport_(MakeHttpWebhookTransport(loop_, options.webhook_timeout)),
        run_after_([this](auto delay, auto callback) { RunAfter(delay, std::move(callback)); }),
        webhooks_(QueueOptions(options), std::move(signer), *transport_, run_after_, ids_, faults_,
                  dialects_),
        world_(clock_, ids_, options.session_ttl, options.locations,
               [this](WebhookEvent event) { webhooks_.Enqueue(std::move(event)); }),
        requests_(options.kept_requests),
        api_(world_, authorizer_,
             {.strict_tax = options.strict_tax, .production = options.production}),
        gate_(api_, requests_, faults_, dialects_, run_after_),
        control_(world_, requests_, webhooks_, faults_, dialects_,
                 [this] { return CloseUnused(); }) {
    for (const auto& [merchant_id, key] : options.merchants) {
      Merchant* merchant = world_.FindMerchant(merchant_id);
      if (merchant == nullptr) merchant = &world_.AddMerchant(merchant_id);
      authorizer_.AddKey(key, *merchant);
    }
  }

  ~Impl() {
    loop_.stop();
    if (thread_.joinable()) thread_.join();
  }

  bool Start(const Options& options, const std::vector<Url>& urls, std::string* error) {
    webhooks_.SetDestinations(urls);
    HttpServer::Hooks hooks;
    hooks.handle = [this](auto& request, auto respond) { Answer(request, std::move(respond)); };
    hooks.refuse = [this] { return gate_.Refuse(); };
    hooks.admit = [this](Request& request) { return gate_.Admit(request); };
    HttpServer::Options server;
    server.address = options.address;
    server.port = options.port;
    server_ = HttpServer::Listen(loop_, server, hooks, error);
    if (server_ == nullptr) return false;
    if (options.tls_port) {
      server.address = options.tls_address;
      server.port = *options.tls_port;
      server.tls = MakeTlsContext(options.tls_certificate_file, options.tls_key_file, error);
      if (server.tls == nullptr) return false;
      tls_server_ = HttpServer::Listen(loop_, server, hooks, error);
      if (tls_server_ == nullptr) return false;
    }
    if (options.control_port) {
      HttpServer::Hooks control_hooks;
      control_hooks.handle = [this](auto& request, auto respond) {
        respond(control_.Handle(request));
      };
      HttpServer::Options control;
      control.address = options.control_address;
      control.port = *options.control_port;
      control_server_ = HttpServer::Listen(loop_, control, std::move(control_hooks), error);
      if (control_server_ == nullptr) return false;
    }
    thread_ = std::thread([this] { loop_.run(); });
    return true;
  }

  uint16_t port() const { return server_->port(); }
  uint16_t control_port() const {
    return control_server_ == nullptr ? port() : control_server_->port();
  }
  uint16_t tls_port() const { return tls_server_ == nullptr ? uint16_t{0} : tls_server_->port(); }

 private:
  int CloseUnused() {
    return server_->CloseUnused() + (tls_server_ == nullptr ? 0 : tls_server_->CloseUnused());
  }

  void Answer(Request& request, Responder respond) {
    if (request.Path().substr(0, 6) == "/_sim/") return respond(control_.Handle(request));
    gate_.Answer(request, std::move(respond));
  }

  void RunAfter(std::chrono::milliseconds delay, std::function<void()> callback) {
    auto timer = std::make_shared<asio::steady_timer>(loop_, delay);
    timer->async_wait([timer, callback = std::move(callback)](boost::system::error_code stopped) {
      if (!stopped) callback();
    });
  }

  // The loop must outlive everything that runs on it.
  asio::io_context loop_{1};
  SimClock clock_;
  IdMaker ids_;
  Faults faults_;
  Dialects dialects_;
  std::unique_ptr<WebhookTransport> transport_;
  const FaultGate::RunAfter run_after_;
  WebhookQueue webhooks_;
  World world_;
  Authorizer authorizer_;
  RequestLog requests_;
  Api api_;
  FaultGate gate_;
  Control control_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<HttpServer> tls_server_;
  std::unique_ptr<HttpServer> control_server_;
  std::thread thread_;
};

std::unique_ptr<Simulator> Simulator::Start(const Options& options, std::string* error) {
  WebhookSigner signer;
  Faults faults(Api::Operations());
  Dialects dialects;
  std::vector<Url> urls;
  if (!LoadFaults(options, &faults, error) || !dialects.Set(options.dialects, error) ||
      !FillSigner(options.webhook_secrets, &signer, error) ||
      !ParseUrls(options.webhook_urls, &urls, error)) {
    return nullptr;
  }
  if (options.merchants.empty()) {
    *error = "there must be a merchant";
    return nullptr;
  }
  auto impl =
      std::make_unique<Impl>(options, std::move(signer), std::move(faults), std::move(dialects));
  if (!impl->Start(options, urls, error)) return nullptr;
  return std::unique_ptr<Simulator>(new Simulator(std::move(impl)));
}

Simulator::Simulator(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Simulator::~Simulator() = default;
uint16_t Simulator::port() const { return impl_->port(); }
uint16_t Simulator::control_port() const { return impl_->control_port(); }
uint16_t Simulator::tls_port() const { return impl_->tls_port(); }

}  // namespace ipp::simulator
