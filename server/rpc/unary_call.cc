#include "server/rpc/unary_call.h"

#include "server/base/log.h"
#include "server/base/masked_text.h"
#include "server/base/uuid.h"
#include "server/rpc/grpc_status.h"

namespace ipp::rpc {
namespace {

// Which codes make a server's span a failed one:
// https://opentelemetry.io/docs/specs/semconv/rpc/grpc/, "gRPC Status". The others are the
// caller's.
bool IsServersFault(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDataLoss:
      return true;
    default:
      return false;
  }
}

}  // namespace

UnaryCall::UnaryCall(const ServiceContext* service, const Method& method,
                     grpc::CallbackServerContext* context, const google::protobuf::Message& request,
                     const google::protobuf::Message& response)
    : service_(service),
      method_(method),
      context_(context),
      request_(request),
      response_(response),
      started_(service->backends.clock->Now()),
      trace_(TraceOf(*context)) {
  if (service->backends.tracer != nullptr) BeginSpan();
  method_.started->Add();
  method_.received->Add();
}

// What the call causes from here on is under its span: upstream requests, the create that the
// ledger keeps, the events of its session.
void UnaryCall::BeginSpan() {
  span_ = StartSpan(service_->backends.tracer,
                    {.name = route().name(), .kind = SpanKind::kServer, .parent = trace_});
  if (span_ == nullptr) return;
  trace_ = span_->context();
  span_->Set("rpc.system", "grpc");
  span_->Set("rpc.service", route().method()->service()->full_name());
  span_->Set("rpc.method", route().method()->name());
}

void UnaryCall::EndSpan() {
  if (span_ == nullptr) return;
  span_->Set("rpc.grpc.status_code", int64_t{code_});
  const auto code = static_cast<absl::StatusCode>(code_);
  if (IsServersFault(code)) span_->Fail(absl::StatusCodeToString(code));
  span_ = nullptr;
}

absl::Status UnaryCall::Admit(auth::Caller caller) {
  caller_ = std::move(caller);
  if (caller_.use == nullptr) return absl::OkStatus();
  absl::Status status = caller_.use->BeginCall(service_->backends.clock->Monotonic());
  admitted_ = status.ok();
  return status;
}

void UnaryCall::Audit(absl::StatusCode code, const ErrorDetail& detail) const {
  if (code == absl::StatusCode::kUnauthenticated) {
    if (!service_->MayLogStranger()) return;
  } else if (!route().is_change()) {
    if (code != absl::StatusCode::kPermissionDenied || !service_->MayLogDeniedRead()) return;
  }
  const auto metadata = [&detail](const char* key) {
    const auto found = detail.metadata.find(key);
    return found == detail.metadata.end() ? std::string() : found->second;
  };
  const bool ok = code == absl::StatusCode::kOk;
  AuditLine line;
  // A caller that was identified but lacks the permission is named in the error.
  line.caller = caller_.name.empty() ? metadata("caller") : caller_.name;
  line.rpc = std::string(route().method()->name());
  line.merchant = merchant_id_;
  line.request_id = request_id_;
  line.subject = subject_;
  if (ok && created_id_ != nullptr) line.created = created_id_(response_);
  line.outcome = ok ? std::string(OutcomeName(Outcome::kExecuted)) : metadata(kOutcomeKey);
  line.code = absl::StatusCodeToString(code);
  line.reason = detail.reason;
  line.trace_id = std::string(trace_.trace_id());
  WriteAudit(*service_, *context_, line);
}

void UnaryCall::Show(const absl::Status& status) const {
  if (!valid_ || !LogEnabled(LogLevel::kDebug)) return;
  LogDebug("call", {{"caller", caller_.name},
                    {"rpc", std::string(route().method()->name())},
                    {"code", absl::StatusCodeToString(status.code())},
                    {"request", MaskedText(request_)},
                    {"response", status.ok() ? MaskedText(response_) : ""},
                    {"trace_id", std::string(trace_.trace_id())}});
}

std::optional<upstream::CallContext> UnaryCall::Upstream() {
  absl::StatusOr<upstream::CallContext> context =
      ContextOf(service_->backends, caller_, *context_, trace_);
  if (context.ok()) {
    merchant_id_ = context->merchant_id;
    return *std::move(context);
  }
  Finish(context.status());
  return std::nullopt;
}

void UnaryCall::NameSubject(const std::string& id) {
  if (IsUuid(id)) subject_ = id;
}

void UnaryCall::NameCreation(const std::string& request_id) {
  // A text that is not a UUID may contain bytes that gRPC cannot send.
  if (!request_id.empty() && !IsUuid(request_id)) return;
  request_id_is_callers_ = !request_id.empty();
  request_id_ = request_id_is_callers_ ? request_id : NewUuid();
  context_->AddTrailingMetadata("x-request-id", request_id_);
}

void UnaryCall::CancelWithCaller(absl::FunctionRef<Handle()> start) {
  // The answer may arrive before `start` returns, and, unless gRPC is still in the service method,
  // the RPC can be over by then.
  refs_.fetch_add(1, std::memory_order_relaxed);
  pending_.Start(start);
  Unref();
}

void UnaryCall::Send(const google::protobuf::Message& request, google::protobuf::Message* response,
                     const upstream::CallContext& context,
                     absl::AnyInvocable<void(upstream::CallResult) &&> then,
                     std::optional<routes::PageQuery> page) {
  Start(
      route(), request, response, context,
      [this, then = std::move(then)](upstream::CallResult result) mutable {
        if (!result.status.ok()) return Finish(result.status);
        std::move(then)(std::move(result));
      },
      page);
}

void UnaryCall::Start(const routes::Route& route, const google::protobuf::Message& request,
                      google::protobuf::Message* response, const upstream::CallContext& context,
                      absl::AnyInvocable<void(upstream::CallResult) &&> then,
                      std::optional<routes::PageQuery> page) {
  CancelWithCaller([&] {
    return service_->backends.upstream->Start(route, request, response, context, std::move(then),
                                              page);
  });
}

void UnaryCall::Finish(const absl::Status& status) {
  Show(status);
  if (status.ok()) {
    method_.sent->Add();
    Audit(status.code(), {});
    return ServerUnaryReactor::Finish(grpc::Status::OK);
  }
  ErrorDetail detail = GetErrorDetail(status);
  Audit(status.code(), detail);
  method_.errors->Count(detail.reason);
  // The ledger was not asked, so an earlier attempt under this id may have any outcome.
  if (request_id_is_callers_ && !ledger_asked_) detail.metadata.erase(kOutcomeKey);
  detail.metadata.emplace("trace_id", trace_.trace_id());
  if (!request_id_.empty()) detail.metadata.emplace("request_id", request_id_);
  const grpc::Status out = ToGrpcStatus(status.code(), status.message(), detail);
  code_ = out.error_code();
  ForbidBlindRetries(detail, context_);
  ServerUnaryReactor::Finish(out);
}

void UnaryCall::OnCancel() {
  // The completion of the upstream call finishes the RPC.
  pending_.Cancel();
}

void UnaryCall::OnDone() {
  method_.handled[static_cast<size_t>(code_)]->Add();
  method_.seconds->Observe(absl::ToDoubleSeconds(service_->backends.clock->Now() - started_),
                           span_ == nullptr ? "" : trace_.trace_id());
  EndSpan();
  if (admitted_) caller_.use->EndCall();
  Unref();
}

void UnaryCall::Unref() {
  if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

void RefuseCreation(UnaryCall* call, absl::Status status) {
  if (!call->request_id_is_callers()) return call->Finish(status);
  const auto context = call->Upstream();
  if (!context) return;
  creates::RefuseCreation(call->service().create_tools(), call,
                          call->create_id(context->merchant_id), std::move(status));
}

}  // namespace ipp::rpc
