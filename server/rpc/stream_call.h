#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "google/protobuf/message.h"
#include "server/base/trace_context.h"
#include "server/base/tracer.h"
#include "server/events/event_stream.h"
#include "server/rpc/service_context.h"

namespace ipp::rpc {

// Parses the request of a raw method. INVALID_ARGUMENT if the bytes are not one.
absl::Status ParseRequest(const grpc::ByteBuffer& buffer, google::protobuf::Message* request);

// A stream of events as an RPC: EventStream over gRPC's callbacks, with the trace and the metrics
// of the call. Where tracing is on, each message about a session whose trace is recorded has a span
// in that trace, from the start of its write to gRPC's word that it is written; the stream itself
// has none, since it lives for as long as it can. The subclass begins it and makes its messages.
// Kept alive by itself until gRPC has finished with it.
class StreamCall : public grpc::ServerWriteReactor<grpc::ByteBuffer>, public events::EventStream {
 public:
  // Call this once, before the stream is handed to gRPC.
  void KeepUntilDone() { self_ = shared_from_this(); }

 protected:
  StreamCall(const ServiceContext& service, events::StreamRegistry* streams, const Method& method,
             grpc::CallbackServerContext* context);

  const ServiceContext& service() const { return service_; }
  grpc::CallbackServerContext* context() const { return context_; }
  // The trace of the call; always has a trace id.
  const TraceContext& trace() const { return trace_; }
  // Whether a message is to say which trace it is about (StreamMessage::set_traceparent).
  bool traces() const { return service_.backends.tracer != nullptr; }
  absl::string_view log_id() const { return service_.backends.store->log_id(); }

  // Admit for an identified caller: counts the stream as the caller's, with the caller's limits.
  absl::Status AdmitCaller(const auth::Caller& caller);

 private:
  void StartSending(events::StreamMessage message, bool more) final;
  void BeginDelivery(std::string traceparent);
  void End(const absl::Status& status) final;
  void CutOff(absl::Duration unread_for, int64_t position) final;

  void OnWriteDone(bool ok) final;
  void OnCancel() final { CallerLeft(); }
  void OnDone() final;

  const ServiceContext& service_;
  events::StreamRegistry* const streams_;
  const Method& method_;
  grpc::CallbackServerContext* const context_;
  const TraceContext trace_;
  std::shared_ptr<EventStream> self_;  // until OnDone
  std::string caller_;                 // set before the registry knows the stream
  grpc::ByteBuffer out_;               // the message in flight
  std::unique_ptr<Span> delivery_;     // of that message; usually null
  int code_ = 0;
};

}  // namespace ipp::rpc
