#include "server/rpc/stream_call.h"

#include <grpcpp/support/proto_buffer_reader.h>

#include <utility>

#include "server/base/error.h"
#include "server/base/identifiers.h"
#include "server/base/status_macros.h"
#include "server/rpc/audit.h"
#include "server/rpc/grpc_status.h"

namespace ipp::rpc {
namespace {

// Refers to an event's bytes without a copy. An out parameter, since grpc::ByteBuffer can be
// swapped but not moved.
void Fill(events::StreamMessage message, grpc::ByteBuffer* out) {
  const absl::string_view bytes = message.bytes();
  events::EventPtr event = message.TakeEvent();
  if (event == nullptr) {
    const grpc::Slice slice(bytes.data(), bytes.size());
    return grpc::ByteBuffer(&slice, 1).Swap(out);
  }
  const grpc::Slice slice(
      const_cast<char*>(bytes.data()), bytes.size(),
      [](void* pointer) { delete static_cast<events::EventPtr*>(pointer); },
      new events::EventPtr(std::move(event)));
  grpc::ByteBuffer(&slice, 1).Swap(out);
}

}  // namespace

absl::Status ParseRequest(const grpc::ByteBuffer& buffer, google::protobuf::Message* request) {
  grpc::ByteBuffer copy(buffer);  // reading takes the buffer's slices
  grpc::ProtoBufferReader reader(&copy);
  if (reader.status().ok() && request->ParseFromZeroCopyStream(&reader)) {
    IdentifierFields(request->GetDescriptor()).Canonicalize(request);
    return absl::OkStatus();
  }
  return InvalidRequest({{"request", "is not the message that this RPC takes"}});
}

StreamCall::StreamCall(const ServiceContext& service, events::StreamRegistry* streams,
                       const Method& method, grpc::CallbackServerContext* context)
    : EventStream(streams, service.backends.clock,
                  {.max_age = service.backends.options.max_stream_age,
                   .max_write_stall = service.backends.options.max_write_stall}),
      service_(service),
      streams_(streams),
      method_(method),
      context_(context),
      trace_(TraceOf(*context)) {
  method_.started->Add();
  method_.received->Add();
}

absl::Status StreamCall::AdmitCaller(const auth::Caller& caller) {
  // Without configured callers, the clients cannot be distinguished.
  if (caller.use == nullptr) return Admit("");
  caller_ = caller.name;
  IPP_RETURN_IF_ERROR(caller.use->BeginStream(service_.backends.clock->Monotonic()));
  return Admit(caller.name, caller.use->limits().subscribers);
}

void StreamCall::StartSending(events::StreamMessage message, bool more) {
  method_.sent->Add();
  if (traces()) BeginDelivery(message.TakeTraceparent());
  Fill(std::move(message), &out_);
  StartWrite(&out_, more ? grpc::WriteOptions().set_buffer_hint() : grpc::WriteOptions());
}

void StreamCall::BeginDelivery(std::string traceparent) {
  const TraceContext about{.traceparent = std::move(traceparent)};
  delivery_ =
      StartSpan(service_.backends.tracer,
                {.name = "deliver", .kind = SpanKind::kProducer, .parent = about, .linked = true});
  if (delivery_ == nullptr) return;
  delivery_->Set("rpc.system", "grpc");
  delivery_->Set("rpc.service", method_.route->method()->service()->full_name());
  delivery_->Set("rpc.method", method_.route->method()->name());
}

void StreamCall::OnWriteDone(bool ok) {
  if (delivery_ != nullptr) {
    if (!ok) delivery_->Fail("caller_gone");
    delivery_ = nullptr;
  }
  Written(ok);
}

void StreamCall::End(const absl::Status& status) {
  if (status.ok()) return Finish(grpc::Status::OK);
  ErrorDetail detail = GetErrorDetail(status);
  method_.errors->Count(detail.reason);
  if ((absl::IsUnauthenticated(status) && service_.MayLogStranger()) ||
      (absl::IsPermissionDenied(status) && service_.MayLogDeniedRead())) {
    const auto caller = detail.metadata.find("caller");
    WriteAudit(service_, *context_,
               {.caller = caller == detail.metadata.end() ? "" : caller->second,
                .rpc = std::string(method_.route->method()->name()),
                .code = absl::StatusCodeToString(status.code()),
                .reason = detail.reason,
                .trace_id = std::string(trace_.trace_id())});
  }
  detail.metadata.emplace("trace_id", trace_.trace_id());
  const grpc::Status sent = ToGrpcStatus(status.code(), status.message(), detail);
  code_ = sent.error_code();
  ForbidBlindRetries(detail, context_);
  Finish(sent);
}

void StreamCall::CutOff(absl::Duration unread_for, int64_t position) {
  streams_->CountCutOff({.caller = caller_,
                         .rpc = std::string(method_.route->method()->name()),
                         .unread_for = unread_for,
                         .position = position,
                         .trace_id = std::string(trace_.trace_id())});
  context_->TryCancel();
}

void StreamCall::OnDone() {
  method_.handled[static_cast<size_t>(code_)]->Add();
  method_.seconds->Observe(absl::ToDoubleSeconds(service_.backends.clock->Monotonic() - started()));
  Done();
  // Must be the last statement: it destroys this object, unless a tick still holds a reference.
  const std::shared_ptr<EventStream> self = std::move(self_);
}

}  // namespace ipp::rpc
