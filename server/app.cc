#include "server/app.h"

#include <algorithm>
#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/admin/admin.h"
#include "server/admin/front.h"
#include "server/admin/log_check.h"
#include "server/admin/process_metrics.h"
#include "server/app_files.h"
#include "server/app_limits.h"
#include "server/app_options.h"
#include "server/app_secrets.h"
#include "server/app_store.h"
#include "server/app_tracing.h"
#include "server/base/guarded_clock.h"
#include "server/base/log.h"
#include "server/base/log_thread.h"
#include "server/base/status_macros.h"
#include "server/config/config.h"
#include "server/console/console.h"
#include "server/creates/restore_hold.h"
#include "server/http/curl_transport.h"
#include "server/http/http2_transport.h"
#include "server/rpc/rpc_server.h"
#include "server/sessions/session_owner.h"
#include "server/upstream/session_reader.h"
#include "server/web/web_listener.h"
#include "server/webhook/front.h"
#include "server/webhook/receiver.h"

namespace ipp {
namespace {

constexpr absl::Duration kWebDrain = absl::Seconds(5);

class AppImpl final : public App {
 public:
  AppImpl(const config::Config& config, const Options& options)
      : config_(config), options_(options) {
    SayWhatRuns();
  }

  ~AppImpl() override {
    // First the parts that accept work; then the transport, whose last completions still need all
    // other parts; then the parts that read the store on a thread of their own; last the store,
    // whose final commits still call the recorder, the observer and the receiver.
    rpc_.reset();
    webhooks_.reset();
    admin_.reset();
    if (ledger_ != nullptr) ledger_->Stop();
    if (reconciler_ != nullptr) {
      reconciler_->Stop();
      reader_->CancelAll();
      // Both destructors wait until their reads have ended.
      owner_.reset();
      reconciler_.reset();
    }
    transport_.reset();
    create_waits_.reset();
    ledger_.reset();
    shared_.reset();
    hub_.reset();
    store_.reset();
    // Every span has ended by now.
    tracer_.reset();
  }

  absl::Status Start() {
    IPP_ASSIGN_OR_RETURN(routes_, routes::RouteTable::CompileContract());
    IPP_RETURN_IF_ERROR(OpenFiles());
    IPP_RETURN_IF_ERROR(StartStore());
    IPP_RETURN_IF_ERROR(StartUpstream());
    StartReconciler();
    StartLedger();
    // Before a call can begin a create: creates that are recorded as in progress now belong to a
    // process that has ended.
    ledger_->Start();
    IPP_RETURN_IF_ERROR(StartRpc());
    IPP_RETURN_IF_ERROR(StartWebhooks());
    IPP_RETURN_IF_ERROR(StartAdmin());
    reconciler_->Start();
    files_->Watch(options_.files_refresh);
    started_ = true;
    return absl::OkStatus();
  }

  int grpc_port() const override { return rpc_->port(); }
  int webhook_port() const override { return webhooks_->port(); }
  int admin_port() const override { return admin_->port(); }

  void RereadFiles() override {
    const int refused = files_->LookAgain();
    LogInfo("files were read again", {{"not_usable", absl::StrCat(refused)}});
  }

  void Drain() override {
    draining_ = true;
    rpc_->Drain(config::ToDuration(config_.drain_timeout()));
    webhooks_->Drain(kWebDrain);
    admin_->Drain(kWebDrain);
  }

 private:
  void SayWhatRuns() {
    metrics_.gauge("ipp_build_info", "1; the version is in the label.", {{"version", IPP_VERSION}})
        .Set(1);
    ExportLimits(config_, &metrics_);
    WarnOfTooFewDescriptors(config_);
  }

  absl::Status OpenFiles() {
    std::vector<std::string> warnings;
    IPP_ASSIGN_OR_RETURN(
        files_, AppFiles::Open(config_, routes_->Permissions(), &clock_, &metrics_, &warnings));
    for (const std::string& warning : warnings) {
      LogWarning("the configuration needs attention", {{"warning", warning}});
    }
    webhook_keys_ = std::make_unique<WebhookKeys>(&files_->secrets());
    IPP_ASSIGN_OR_RETURN(tracer_, OpenTracer(config_, *files_, &metrics_));
    return absl::OkStatus();
  }

  absl::Status StartStore() {
    IPP_ASSIGN_OR_RETURN(store_, OpenStore(config_, &clock_, &metrics_));
    if (options_.restored) {
      IPP_RETURN_IF_ERROR(
          NoteRestore(store_.get(), config::ToDuration(config_.creates().settle())));
    }
    restore_hold_ = std::make_unique<creates::RestoreHold>(store_.get(), &metrics_);
    recorder_ = std::make_unique<sessions::SessionRecorder>(store_.get(), &metrics_, Times());
    observer_ = std::make_unique<sessions::ReadObserver>(recorder_.get());
    hub_ = std::make_unique<events::EventHub>(store_.get(), HubOptions(), &metrics_);
    shared_ = std::make_unique<shared::SharedHub>(store_.get(), hub_.get(), &scheduler_, &metrics_);
    return absl::OkStatus();
  }

  events::HubOptions HubOptions() {
    events::HubOptions options;
    options.clock = &clock_;
    options.memory_bytes = config_.events().memory_bytes();
    return options;
  }

  absl::Status StartUpstream() {
    const config::Upstream& upstream = config_.upstream();
    http::CurlOptions options;
    options.base_url = upstream.base_url();
    options.ca_file = files_->upstream_ca_file();
    options.proxy = upstream.proxy();
    options.loops = upstream.loops();
    options.connections = upstream.connections();
    options.max_in_flight = static_cast<size_t>(upstream.max_in_flight());
    // A create that outlives its caller must not outlive a drain by much, but has as much time for
    // its answer as any other request.
    options.mutation_limit = std::max(config::ToDuration(config_.drain_timeout()),
                                      config::ToDuration(upstream.timeout()));
    options.user_agent = "ipp-gateway/" IPP_VERSION;
    options.clock = &clock_;
    if (upstream.transport() == "http2") {
      IPP_ASSIGN_OR_RETURN(transport_,
                           http::NewHttp2Transport({.common = std::move(options)}, &metrics_));
    } else {
      IPP_ASSIGN_OR_RETURN(transport_, http::NewCurlTransport(std::move(options), &metrics_));
    }
    upstream::UpstreamOptions client;
    client.timeout = config::ToDuration(upstream.timeout());
    client.retry.attempts = upstream.read_attempts();
    client.tracer = tracer_.get();
    upstream_ = std::make_unique<upstream::UpstreamClient>(
        transport_.get(), &files_->secrets().credentials, routes_.get(), &clock_, &scheduler_,
        &metrics_, client);
    devices_ = std::make_unique<upstream::DeviceDirectory>(upstream_.get(), routes_.get());
    return absl::OkStatus();
  }

  sessions::CheckTimes Times() const {
    sessions::CheckTimes times;
    times.first = config::ToDuration(config_.reconcile().first());
    times.complete = std::min(times.complete, times.first);
    times.missing_known = config::ToDuration(config_.reconcile().overdue());
    return times;
  }

  sessions::ReadSession ReadsOfSessions() {
    return [this](const std::string& merchant_id, const std::string& session_id,
                  const TraceContext& trace, auto done) {
      reader_->Read(merchant_id, session_id, trace,
                    [done = std::move(done)](absl::StatusOr<upstream::SessionRead> read) mutable {
                      if (!read.ok()) return std::move(done)(read.status());
                      std::move(done)(sessions::SessionAnswer(std::move(read->session),
                                                              std::move(read->request_id)));
                    });
    };
  }

  void StartReconciler() {
    const config::Reconcile& reconcile = config_.reconcile();
    const config::Upstream& upstream = config_.upstream();
    reader_ = std::make_unique<upstream::SessionReader>(upstream_.get(), routes_.get(), &clock_,
                                                        config::ToDuration(upstream.timeout()));
    sessions::ReconcileOptions options;
    options.times = Times();
    options.max = config::ToDuration(reconcile.max());
    options.watched = config::ToDuration(reconcile.watched());
    options.max_in_flight = reconcile.max_in_flight();
    // Leave connections to callers if the upstream answers slowly; over HTTP/1.1 each read occupies
    // one.
    options.room = [transport = transport_.get()] {
      const int all = transport->concurrency();
      return std::max(1, all - std::max(1, all / 4));
    };
    options.reads_per_second = reconcile.reads_per_second();
    options.overdue = config::ToDuration(reconcile.overdue());
    reconciler_ = std::make_unique<sessions::Reconciler>(
        store_.get(), recorder_.get(), ReadsOfSessions(), &clock_, &scheduler_, &metrics_, options);
  }

  void StartLedger() {
    creates::LedgerOptions options;
    options.settle = config::ToDuration(config_.creates().settle());
    // The time for sending, one attempt to its end, and a margin for differences between the
    // replicas' clocks.
    options.under_way = config::ToDuration(config_.creates().send_for()) +
                        config::ToDuration(config_.upstream().timeout()) +
                        config::ToDuration(config_.drain_timeout()) + absl::Seconds(10);
    ledger_ = std::make_unique<creates::CreateLedger>(store_.get(), &clock_, &scheduler_, &metrics_,
                                                      options);
    create_waits_ = std::make_unique<creates::CreateWaits>(store_.get(), &scheduler_);
  }

  absl::Status StartRpc() {
    const config::Events& events = config_.events();
    rpc::Backends gateway{.routes = routes_.get(),
                          .upstream = upstream_.get(),
                          .devices = devices_.get(),
                          .recorder = recorder_.get(),
                          .observer = observer_.get(),
                          .reconciler = reconciler_.get(),
                          .ledger = ledger_.get(),
                          .create_waits = create_waits_.get(),
                          .store = store_.get(),
                          .hub = hub_.get(),
                          .shared = shared_.get(),
                          .callers = files_->secrets().callers.get(),
                          .clock = &clock_,
                          .scheduler = &scheduler_,
                          .metrics = &metrics_,
                          .options = {},
                          .restore_hold = restore_hold_.get(),
                          .tracer = tracer_.get()};
    gateway.options.heartbeat_interval = config::ToDuration(events.heartbeat_interval());
    gateway.options.max_write_stall = config::ToDuration(events.max_write_stall());
    gateway.options.max_stream_age = config::ToDuration(events.max_stream_age());
    gateway.options.correlation = CorrelationOf(config_.creates());
    gateway.options.create_send_for = config::ToDuration(config_.creates().send_for());
    gateway.options.client_certificates = !config_.tls().client_ca_file().empty();
    gateway.options.max_subscribers = events.max_subscribers();
    gateway.options.max_subscribers_per_caller = events.max_subscribers_per_caller();
    gateway.options.max_shared_subscriptions_per_caller =
        events.max_shared_subscriptions_per_caller();
    rpc::ServerOptions options;
    options.listen = config_.listen();
    options.identity_file = files_->identity_file();
    options.client_ca_file = files_->client_ca_file();
    options.client_certificate_required = config_.caller_proof() == "both";
    options.verified_for = gateway.options.max_stream_age;
    options.reflection = config_.reflection();
    SetLimits(config_.connections(), &options);
    // A stream must end by itself, with its cursor, before its connection does.
    options.longest_call = 1.1 * gateway.options.max_stream_age + gateway.options.max_write_stall +
                           config::ToDuration(config_.upstream().timeout());
    IPP_ASSIGN_OR_RETURN(rpc_, rpc::RpcServer::Start(options, gateway));
    return absl::OkStatus();
  }

  // Settings that the two HTTP ports share. `name` appears in metrics and logs.
  template <typename Section>
  web::WebOptions WebOptionsOf(const std::string& name, const Section& section) {
    web::WebOptions options;
    options.name = name;
    options.metrics = &metrics_;
    options.address = section.listen();
    options.max_connections = section.max_connections();
    options.header_timeout = config::ToDuration(section.request_timeout());
    options.body_timeout = options.header_timeout;
    options.idle_timeout = config::ToDuration(section.idle_timeout());
    return options;
  }

  absl::Status StartWebhooks() {
    owner_ = std::make_unique<sessions::SessionOwner>(store_.get(), ReadsOfSessions());
    receiver_ = std::make_unique<webhook::Receiver>(
        [this] { return webhook_keys_->Now(); }, config::ToDuration(config_.webhooks().tolerance()),
        recorder_.get(),
        [owner = owner_.get()](auto merchants, auto session_id, auto done) {
          owner->Find(std::move(merchants), std::move(session_id), std::move(done));
        },
        &clock_, &metrics_, tracer_.get());
    web::WebOptions options = WebOptionsOf("webhooks", config_.webhooks());
    options.max_body_bytes = static_cast<size_t>(config_.webhooks().max_body_bytes());
    IPP_ASSIGN_OR_RETURN(
        webhooks_,
        web::WebListener::Start(std::move(options),
                                webhook::Front(config_.webhooks().path(), receiver_.get())));
    return absl::OkStatus();
  }

  std::string HoldNote() {
    const absl::Duration left = restore_hold_->Left();
    if (left == absl::ZeroDuration()) return "";
    return absl::StrCat("restored; creates under an unknown request_id are held for ",
                        absl::FormatDuration(absl::Ceil(left, absl::Seconds(1))));
  }

  std::vector<web::Router::Route> ConsoleRoutes() {
    if (!config_.admin().page()) return {};
    console::ConsoleOptions options;
    for (const config::Merchant& merchant : config_.merchants()) {
      options.merchants.push_back(merchant.id());
    }
    options.overdue = config::ToDuration(config_.reconcile().overdue());
    return console::Routes(store_.get(), std::move(options));
  }

  absl::Status StartAdmin() {
    pages_ = std::make_unique<admin::AdminPages>(
        &metrics_,
        std::vector<admin::AdminPages::Check>{
            {"serving",
             [this] {
               if (draining_) return absl::UnavailableError("draining");
               return started_ ? absl::OkStatus() : absl::UnavailableError("starting");
             }},
            {"store", [this] { return store_->health(); }, [this] { return HoldNote(); }},
            {"log", [] { return absl::OkStatus(); },
             [this] { return log_check_.Note(LogState()); }}},
        [this] { return config::MaskedYaml(config_); }, [this] { process_metrics_.Update(); },
        /*exemplars=*/tracer_ != nullptr);
    web::WebOptions options = WebOptionsOf("admin", config_.admin());
    options.may_use_held_back = true;
    web::Router router = admin::Front(pages_.get(), ConsoleRoutes());
    IPP_ASSIGN_OR_RETURN(admin_, web::WebListener::Start(std::move(options), std::move(router)));
    return absl::OkStatus();
  }

  const config::Config config_;
  const Options options_;
  std::atomic<bool> started_ = false;
  std::atomic<bool> draining_ = false;
  Metrics metrics_;
  GuardedClock clock_{Clock::Real(), &metrics_};
  ThreadScheduler scheduler_;
  std::unique_ptr<routes::RouteTable> routes_;
  std::unique_ptr<AppFiles> files_;
  std::unique_ptr<WebhookKeys> webhook_keys_;
  std::unique_ptr<Tracer> tracer_;  // null: no spans
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<creates::RestoreHold> restore_hold_;
  std::unique_ptr<sessions::SessionRecorder> recorder_;
  std::unique_ptr<sessions::ReadObserver> observer_;
  std::unique_ptr<events::EventHub> hub_;
  std::unique_ptr<shared::SharedHub> shared_;
  std::unique_ptr<http::HttpTransport> transport_;
  std::unique_ptr<upstream::UpstreamClient> upstream_;
  std::unique_ptr<upstream::DeviceDirectory> devices_;
  std::unique_ptr<upstream::SessionReader> reader_;
  std::unique_ptr<sessions::Reconciler> reconciler_;
  std::unique_ptr<creates::CreateLedger> ledger_;
  std::unique_ptr<creates::CreateWaits> create_waits_;
  std::unique_ptr<rpc::RpcServer> rpc_;
  std::unique_ptr<sessions::SessionOwner> owner_;
  std::unique_ptr<webhook::Receiver> receiver_;
  std::unique_ptr<web::WebListener> webhooks_;
  admin::LogCheck log_check_{&metrics_};
  admin::ProcessMetrics process_metrics_{&metrics_, clock_.Now()};
  std::unique_ptr<admin::AdminPages> pages_;
  std::unique_ptr<web::WebListener> admin_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<App>> App::Start(const config::Config& config,
                                                const Options& options) {
  auto app = std::make_unique<AppImpl>(config, options);
  IPP_RETURN_IF_ERROR(app->Start());
  return app;
}

absl::Status App::Check(const config::Config& config, std::vector<std::string>* warnings) {
  IPP_RETURN_IF_ERROR(CheckTracing(config));
  IPP_ASSIGN_OR_RETURN(const auto routes, routes::RouteTable::CompileContract());
  Metrics metrics;
  return AppFiles::Open(config, routes->Permissions(), Clock::Real(), &metrics, warnings).status();
}

}  // namespace ipp
