#include "ippclient/connection.h"

#include <grpcpp/support/client_interceptor.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "ippclient/version.h"
#include "kustom/ipp/v1/annotations.pb.h"
#include "kustom/ipp/v1/device.pb.h"
#include "kustom/ipp/v1/enrollment.pb.h"
#include "kustom/ipp/v1/location.pb.h"
#include "kustom/ipp/v1/outcome.pb.h"
#include "kustom/ipp/v1/session.pb.h"
#include "kustom/ipp/v1/session_event.pb.h"
#include "kustom/ipp/v1/shared_subscription.pb.h"
#include "kustom/ipp/v1/simulation.pb.h"

namespace ipp::client {
namespace {

namespace v1 = ::kustom::ipp::v1;
using Metadata = std::vector<std::pair<std::string, std::string>>;

// Adds the same metadata to every call, so that no stub can forget it. Not call credentials: gRPC
// refuses those over plaintext, also on the loopback.
class MetadataInterceptor final : public grpc::experimental::Interceptor {
 public:
  explicit MetadataInterceptor(const Metadata* metadata) : metadata_(metadata) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    using grpc::experimental::InterceptionHookPoints;
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      for (const auto& entry : *metadata_) methods->GetSendInitialMetadata()->insert(entry);
    }
    methods->Proceed();
  }

 private:
  const Metadata* const metadata_;
};

class MetadataInterceptorFactory final
    : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit MetadataInterceptorFactory(Metadata metadata) : metadata_(std::move(metadata)) {}
  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo*) override {
    return new MetadataInterceptor(&metadata_);
  }

 private:
  const Metadata metadata_;
};

// gRPC aborts the process on a header value that HTTP/2 cannot carry, so it never gets one.
bool FitsHeader(absl::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

bool IsThisMachine(absl::string_view address) {
  if (absl::StartsWith(address, "unix:") || absl::StartsWith(address, "unix-abstract:")) {
    return true;
  }
  for (absl::string_view scheme : {"dns:///", "dns:", "ipv4:", "ipv6:"}) {
    if (absl::ConsumePrefix(&address, scheme)) break;
  }
  if (absl::StartsWith(address, "[::1]")) return true;
  absl::string_view host = address.substr(0, address.rfind(':'));
  if (host == "localhost" || address == "::1") return true;
  // 127.0.0.0/8 in digits; "127.shop.example" is a remote host.
  return absl::StartsWith(host, "127.") &&
         host.find_first_not_of("0123456789.") == absl::string_view::npos;
}

// Whether the connection is without TLS.
bool IsPlaintext(const ConnectionOptions& options) {
  return !options.tls && options.ca_file.empty() && options.cert_file.empty();
}

absl::Status ReadPem(const char* what, const std::string& path, std::string* pem) {
  if (path.empty()) return absl::OkStatus();
  const std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();  // the buffer throws when the path is a folder; the stream does not
  *pem = text.str();
  if (!pem->empty()) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("cannot read the ", what, " file ", path));
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> Credentials(
    const ConnectionOptions& options) {
  if (options.cert_file.empty() != options.key_file.empty()) {
    return absl::InvalidArgumentError("certificate and key come together, or neither");
  }
  if (IsPlaintext(options)) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions ssl;
  absl::Status status = ReadPem("CA", options.ca_file, &ssl.pem_root_certs);
  status.Update(ReadPem("certificate", options.cert_file, &ssl.pem_cert_chain));
  status.Update(ReadPem("key", options.key_file, &ssl.pem_private_key));
  if (!status.ok()) return status;
  return grpc::SslCredentials(ssl);
}

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(absl::ToInt64Milliseconds(duration));
}

// Whether gRPC may repeat it. Not what this library repeats by rules of its own: EventSubscription,
// EventReader and Consumer do.
bool IsRepeatable(const google::protobuf::MethodDescriptor& method) {
  const absl::string_view name(method.name().data(), method.name().size());
  return name != "SubscribeSessionEvents" && name != "ReceiveSessionEvents" &&
         name != "SettleSessionEvents" && name != "CreateSharedSubscription" &&
         method.options().GetExtension(v1::route).repeat() != v1::REPEAT_NEVER;
}

}  // namespace

std::string RetryServiceConfig() {
  std::vector<std::string> names;
  for (const google::protobuf::FileDescriptor* file :
       {v1::Device::descriptor()->file(), v1::Enrollment::descriptor()->file(),
        v1::Location::descriptor()->file(), v1::CreateOutcome::descriptor()->file(),
        v1::Session::descriptor()->file(), v1::SessionEvent::descriptor()->file(),
        v1::SharedSubscription::descriptor()->file(),
        v1::SimulateCardTapRequest::descriptor()->file()}) {
    for (int s = 0; s < file->service_count(); ++s) {
      const google::protobuf::ServiceDescriptor& service = *file->service(s);
      for (int m = 0; m < service.method_count(); ++m) {
        if (!IsRepeatable(*service.method(m))) continue;
        names.push_back(absl::StrCat("{\"service\":\"", service.full_name(), "\",\"method\":\"",
                                     service.method(m)->name(), "\"}"));
      }
    }
  }
  return absl::StrCat(
      "{\"methodConfig\":[{\"name\":[", absl::StrJoin(names, ","),
      "],\"retryPolicy\":{\"maxAttempts\":4,\"initialBackoff\":\"0.1s\",\"maxBackoff\":\"2s\","
      "\"backoffMultiplier\":2,\"retryableStatusCodes\":[\"UNAVAILABLE\"]}}]}");
}

absl::StatusOr<std::shared_ptr<Connection>> Connection::Create(const ConnectionOptions& options) {
  if (options.address.empty()) return absl::InvalidArgumentError("the address is empty");
  if (options.timeout <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("the timeout must be more than zero");
  }
  if (!FitsHeader(options.token)) {
    return absl::InvalidArgumentError("the token has characters that a header cannot carry");
  }
  if (!FitsHeader(options.merchant_id)) {
    return absl::InvalidArgumentError("the merchant has characters that a header cannot carry");
  }
  if (IsPlaintext(options) && !options.token.empty() && !options.allow_plaintext_token &&
      !IsThisMachine(options.address)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the token would travel unencrypted to ", options.address, ": use TLS"));
  }
  const auto credentials = Credentials(options);
  if (!credentials.ok()) return credentials.status();

  grpc::ChannelArguments args;
  const std::string library = absl::StrCat("ippclient/", Version());
  args.SetUserAgentPrefix(
      options.user_agent.empty() ? library : absl::StrCat(options.user_agent, " ", library));
  args.SetServiceConfigJSON(RetryServiceConfig());
  // The retry rules are about money: they come from the contract, never from a DNS record.
  args.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  // The gateway is an internal service: http_proxy in the environment is not meant for it.
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(options.keepalive_time));
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(options.keepalive_timeout));
  // Newer releases of gRPC wait this long instead, by default a minute.
  args.SetInt("grpc.http2.ping_timeout_ms", Milliseconds(options.keepalive_timeout));
  args.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // the default, 2, ends long silences
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5'000);  // time that one attempt may take
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, Milliseconds(options.max_connect_backoff));

  Metadata metadata;
  if (!options.token.empty()) {
    metadata.emplace_back("authorization", absl::StrCat("Bearer ", options.token));
  }
  if (!options.merchant_id.empty()) metadata.emplace_back("x-merchant-id", options.merchant_id);
  std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(std::make_unique<MetadataInterceptorFactory>(std::move(metadata)));
  return std::shared_ptr<Connection>(
      new Connection(grpc::experimental::CreateCustomChannelWithInterceptors(
                         options.address, *credentials, args, std::move(interceptors)),
                     options.timeout));
}

void Connection::Prepare(grpc::ClientContext* context) const {
  context->set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(timeout_));
}

}  // namespace ipp::client
