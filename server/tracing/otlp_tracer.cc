#include "server/tracing/otlp_tracer.h"

#include <opentelemetry/exporters/otlp/otlp_http_exporter_factory.h>
#include <opentelemetry/exporters/otlp/otlp_http_exporter_options.h>
#include <opentelemetry/sdk/common/global_log_handler.h>
#include <opentelemetry/sdk/resource/resource.h>
#include <opentelemetry/sdk/trace/batch_span_processor_factory.h>
#include <opentelemetry/sdk/trace/batch_span_processor_options.h>
#include <opentelemetry/sdk/trace/tracer_provider.h>
#include <opentelemetry/trace/span_context.h>
#include <opentelemetry/trace/span_startoptions.h>
#include <opentelemetry/trace/tracer.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/base/log.h"
#include "server/base/log_rate_limiter.h"
#include "server/base/uuid.h"
#include "server/tracing/counted_export.h"

namespace ipp::tracing {
namespace {

namespace api = opentelemetry::trace;
namespace sdk = opentelemetry::sdk::trace;
namespace otlp = opentelemetry::exporter::otlp;
namespace internal_log = opentelemetry::sdk::common::internal_log;
using opentelemetry::nostd::shared_ptr;
using opentelemetry::nostd::string_view;

constexpr size_t kLargestBatch = 512;  // as the specification's default
constexpr size_t kMostLogged = 300;    // bytes of a message of the library

string_view View(absl::string_view text) { return {text.data(), text.size()}; }

// The library's own log. It says why an export failed; what it quotes comes from the collector.
class LibraryLog final : public internal_log::LogHandler {
 public:
  void Handle(internal_log::LogLevel level, const char* /*file*/, int /*line*/, const char* message,
              const opentelemetry::sdk::common::AttributeMap& /*attributes*/) noexcept override {
    if (level > internal_log::LogLevel::Warning || message == nullptr) return;
    if (level == internal_log::LogLevel::Error) NoteErrorOfThisThread();
    const auto left_out = limiter_.Take();
    if (!left_out) return;
    LogWarning("the exporter of spans",
               {{"error", std::string(absl::string_view(message).substr(0, kMostLogged))},
                {"left_out", absl::StrCat(*left_out)}});
  }

 private:
  LogRateLimiter limiter_{1.0 / 30, 2};
};

// The library has one log for the process.
void SetLibraryLog() {
  static const bool set = [] {
    internal_log::GlobalLogHandler::SetLogHandler(
        shared_ptr<internal_log::LogHandler>(new LibraryLog()));
    internal_log::GlobalLogHandler::SetLogLevel(internal_log::LogLevel::Warning);
    return true;
  }();
  (void)set;
}

// Two digits that are known to be lower-case hexadecimal (base/trace_context.h).
uint8_t Byte(absl::string_view digits) {
  const auto nibble = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  return static_cast<uint8_t>(nibble(digits[0]) * 16 + nibble(digits[1]));
}

template <size_t kSize>
std::array<uint8_t, kSize> Bytes(absl::string_view hex) {
  std::array<uint8_t, kSize> bytes;
  for (size_t i = 0; i < kSize; ++i) bytes[i] = Byte(hex.substr(2 * i, 2));
  return bytes;
}

// The parent as the library has it. Its `tracestate` stays ours: the library would take it apart
// and put it together again for each span.
api::SpanContext ToSpanContext(const TraceContext& context) {
  const absl::string_view text = context.traceparent;  // "00-<32>-<16>-<2>"
  const auto trace_id = Bytes<api::TraceId::kSize>(text.substr(3, 32));
  const auto span_id = Bytes<api::SpanId::kSize>(text.substr(36, 16));
  return api::SpanContext(api::TraceId(trace_id), api::SpanId(span_id),
                          api::TraceFlags(api::TraceFlags::kIsSampled), /*is_remote=*/true);
}

// The context that names `span`: of the received one only the parent's id changes. The caller's
// other flags, and its `tracestate`, are handed on.
TraceContext Under(const TraceContext& received, const api::SpanContext& span) {
  TraceContext context = received;
  char id[2 * api::SpanId::kSize];
  span.span_id().ToLowerBase16(id);
  context.traceparent.replace(36, sizeof(id), id, sizeof(id));
  return context;
}

class OtlpSpan final : public Span {
 public:
  OtlpSpan(shared_ptr<api::Span> span, const TraceContext& parent)
      : span_(std::move(span)), context_(Under(parent, span_->GetContext())) {}
  ~OtlpSpan() override { span_->End(); }

  const TraceContext& context() const override { return context_; }
  void Set(absl::string_view key, absl::string_view value) override {
    span_->SetAttribute(View(key), View(value));
  }
  void Set(absl::string_view key, int64_t value) override { span_->SetAttribute(View(key), value); }
  void Fail(absl::string_view type) override {
    span_->SetStatus(api::StatusCode::kError);
    span_->SetAttribute("error.type", View(type));
  }

 private:
  const shared_ptr<api::Span> span_;
  const TraceContext context_;
};

api::SpanKind ToApi(SpanKind kind) {
  switch (kind) {
    case SpanKind::kServer:
      return api::SpanKind::kServer;
    case SpanKind::kClient:
      return api::SpanKind::kClient;
    case SpanKind::kProducer:
      return api::SpanKind::kProducer;
    case SpanKind::kInternal:
      break;
  }
  return api::SpanKind::kInternal;
}

class OtlpTracer final : public Tracer {
 public:
  OtlpTracer(std::unique_ptr<sdk::TracerProvider> provider, std::shared_ptr<ExportState> state,
             const std::string& version)
      : state_(std::move(state)),
        provider_(std::move(provider)),
        tracer_(provider_->GetTracer("ipp-gateway", version)) {}

  ~OtlpTracer() override {
    provider_->ForceFlush(absl::ToChronoMicroseconds(kFlushLimit));
    // What is left is not tried: each batch could take kExportLimit.
    state_->closing = true;
    provider_->Shutdown();
  }

  std::unique_ptr<Span> Start(const SpanStart& start) override {
    api::StartSpanOptions options;
    options.kind = ToApi(start.kind);
    const api::SpanContext parent = ToSpanContext(start.parent);
    options.parent = parent;
    if (start.ago > absl::ZeroDuration()) {
      const auto ago = absl::ToChronoNanoseconds(start.ago);
      options.start_system_time = std::chrono::system_clock::now() - ago;
      options.start_steady_time = std::chrono::steady_clock::now() - ago;
    }
    const string_view name = View(start.name);
    using NoAttributes = std::vector<std::pair<string_view, opentelemetry::common::AttributeValue>>;
    if (!start.linked) return Make(tracer_->StartSpan(name, options), start.parent);
    const std::vector<std::pair<api::SpanContext, NoAttributes>> links = {{parent, {}}};
    return Make(tracer_->StartSpan(name, NoAttributes(), links, options), start.parent);
  }

 private:
  static std::unique_ptr<Span> Make(shared_ptr<api::Span> span, const TraceContext& parent) {
    return std::make_unique<OtlpSpan>(std::move(span), parent);
  }

  const std::shared_ptr<ExportState> state_;
  const std::unique_ptr<sdk::TracerProvider> provider_;
  const shared_ptr<api::Tracer> tracer_;
};

// Every option that the environment could set is set here, or emptied: what is exported where is
// the configuration's to say.
otlp::OtlpHttpExporterOptions ExporterOptions(const OtlpOptions& options) {
  otlp::OtlpHttpExporterOptions exporter;
  exporter.url = absl::StrCat(absl::StripSuffix(options.endpoint, "/"), "/v1/traces");
  exporter.content_type = otlp::HttpRequestContentType::kBinary;
  exporter.console_debug = false;
  exporter.timeout = std::chrono::duration_cast<decltype(exporter.timeout)>(
      absl::ToChronoMicroseconds(kExportLimit));
  exporter.http_headers.clear();
  exporter.ssl_insecure_skip_verify = false;
  exporter.ssl_ca_cert_path = options.ca_file;
  for (std::string* text : {&exporter.ssl_ca_cert_string, &exporter.ssl_client_key_path,
                            &exporter.ssl_client_key_string, &exporter.ssl_client_cert_path,
                            &exporter.ssl_client_cert_string, &exporter.ssl_max_tls,
                            &exporter.ssl_cipher, &exporter.ssl_cipher_suite}) {
    text->clear();
  }
  exporter.ssl_min_tls = "1.2";
  exporter.compression = "none";
  return exporter;
}

}  // namespace

absl::Status CheckBuilt() { return absl::OkStatus(); }

absl::StatusOr<std::unique_ptr<Tracer>> NewOtlpTracer(const OtlpOptions& options,
                                                      Metrics* metrics) {
  SetLibraryLog();
  auto state = std::make_shared<ExportState>(options.max_queued, metrics);
  sdk::BatchSpanProcessorOptions batches;
  // The bound is Bounded's; a little more room, so that the library never drops what was counted
  // in.
  batches.max_queue_size = options.max_queued + kLargestBatch;
  batches.max_export_batch_size = std::min(kLargestBatch, options.max_queued);
  batches.schedule_delay_millis = absl::ToChronoMilliseconds(options.interval);
  auto exporter = Counted(otlp::OtlpHttpExporterFactory::Create(ExporterOptions(options)), state);
  auto processor =
      Bounded(sdk::BatchSpanProcessorFactory::Create(std::move(exporter), batches), state);
  const auto resource =
      opentelemetry::sdk::resource::Resource::Create({{"service.name", "ipp-gateway"},
                                                      {"service.version", options.version},
                                                      {"service.instance.id", NewUuid()}});
  return std::make_unique<OtlpTracer>(
      std::make_unique<sdk::TracerProvider>(std::move(processor), resource), std::move(state),
      options.version);
}

}  // namespace ipp::tracing
