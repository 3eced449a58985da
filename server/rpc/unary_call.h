#pragma once

#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "server/base/identifiers.h"
#include "server/base/pending_call.h"
#include "server/base/trace_context.h"
#include "server/creates/create_flow.h"
#include "server/rpc/service_context.h"
#include "server/upstream/upstream_client.h"

namespace ipp::rpc {

// One unary RPC: the caller is known and the request valid; whoever works on it calls Finish
// exactly once, on any thread. Deletes itself when gRPC is done with it, so `request` and
// `response` live until Finish.
class UnaryCall final : public grpc::ServerUnaryReactor, public creates::CreateCall {
 public:
  UnaryCall(const ServiceContext* service, const Method& method,
            grpc::CallbackServerContext* context, const google::protobuf::Message& request,
            const google::protobuf::Message& response);

  const ServiceContext& service() const { return *service_; }
  const routes::Route& route() const { return *method_.route; }
  const auth::Caller& caller() const { return caller_; }
  // Of which merchant it is, once that was chosen (Upstream).
  const std::string& merchant_id() const { return merchant_id_; }
  // What it is a part of; never without a trace id.
  const TraceContext& trace() const override { return trace_; }
  // Whose call it is; counts it. The errors of CallerUse::BeginCall.
  absl::Status Admit(auth::Caller caller);

  // The merchant, trace and deadline for calls upstream; fails the RPC and returns nothing when the
  // merchant is not clear.
  std::optional<upstream::CallContext> Upstream();

  // Names this creation, after the caller's request_id or after a new one: in the trailer
  // `x-request-id` and in every error from now on. A request_id that is none names nothing.
  void NameCreation(const std::string& request_id);
  const std::string& request_id() const { return request_id_; }
  // The caller sent it; it was not made here.
  bool request_id_is_callers() const { return request_id_is_callers_; }
  creates::CreateId create_id(const std::string& merchant_id) const {
    return {merchant_id, request_id_, request_id_is_callers_};
  }
  void set_ledger_asked() override { ledger_asked_ = true; }

  // The caller is admitted, and the request good.
  void set_valid() { valid_ = true; }

  // The id of what it is about, for the audit. What is no id could be anything, and is not kept.
  void NameSubject(const std::string& id);

  // Runs `start`; what it starts is cancelled when the caller goes away, and at once when it has
  // gone already. It may end, and finish the RPC, before `start` returns.
  using Handle = std::shared_ptr<upstream::UpstreamClient::Call>;
  void CancelWithCaller(absl::FunctionRef<Handle()> start);

  // Sends `request` as this RPC's REST call; `then` runs when it succeeded, an error finishes the
  // RPC.
  void Send(const google::protobuf::Message& request, google::protobuf::Message* response,
            const upstream::CallContext& context,
            absl::AnyInvocable<void(upstream::CallResult) &&> then,
            std::optional<routes::PageQuery> page = std::nullopt);

  void Start(const routes::Route& route, const google::protobuf::Message& request,
             google::protobuf::Message* response, const upstream::CallContext& context,
             absl::AnyInvocable<void(upstream::CallResult) &&> then) override {
    Start(route, request, response, context, std::move(then), std::nullopt);
  }
  bool cancelled() const override { return pending_.cancelled(); }

  // An error of a creation under the caller's own id claims no `outcome` unless the ledger was
  // asked.
  void Finish(const absl::Status& result) override;

 private:
  void Start(const routes::Route& route, const google::protobuf::Message& request,
             google::protobuf::Message* response, const upstream::CallContext& context,
             absl::AnyInvocable<void(upstream::CallResult) &&> then,
             std::optional<routes::PageQuery> page);
  // At the level debug: what was asked and answered, masked. Not what was refused at the door: it
  // may be of anybody, and hold anything, such as a token where an id should be.
  void Show(const absl::Status& status) const;
  // One line for each change that was asked for, by whomever.
  void Audit(const absl::Status& status) const;
  void OnCancel() override;
  void OnDone() override;
  // OnCancel and OnDone run on the thread of gRPC that noticed, as for its own default reactor:
  // both are short and take no lock of anybody else. Otherwise each call costs a trip through
  // gRPC's executor, a wakeup and a thread switch, as much CPU as a third of a bare call.
  bool InternalInlineable() override { return true; }
  void Unref();

  const ServiceContext* const service_;
  const Method& method_;
  grpc::CallbackServerContext* const context_;
  const google::protobuf::Message& request_;
  const google::protobuf::Message& response_;
  const absl::Time started_;
  const TraceContext trace_;
  auth::Caller caller_;
  bool admitted_ = false;
  bool valid_ = false;
  std::string merchant_id_;  // once it was chosen
  std::string subject_;
  std::string request_id_;
  bool request_id_is_callers_ = false;
  bool ledger_asked_ = false;
  int code_ = 0;
  // gRPC's, until OnDone; and one for each CancelWithCaller that has not returned.
  std::atomic<int> refs_{1};
  PendingCall<upstream::UpstreamClient::Call> pending_;
};

// The id of what a request is about; empty for those about nothing that is there already.
template <typename Request>
std::string SubjectOf(const Request& request) {
  if constexpr (requires { request.session_id(); }) return request.session_id();
  if constexpr (requires { request.device_id(); }) return request.device_id();
  if constexpr (requires { request.enrollment_id(); }) return request.enrollment_id();
  return {};
}

// creates::RefuseCreation for this call.
void RefuseCreation(UnaryCall* call, absl::Status status);

// The way into every unary RPC: who calls, may they, is the request valid; then `work`.
template <typename Request, typename Response>
grpc::ServerUnaryReactor* Serve(const ServiceContext& service, grpc::CallbackServerContext* context,
                                const Request* request, Response* response,
                                void (*work)(UnaryCall*, const Request&, Response*)) {
  const Method& method = service.methods.Find<Request>();
  // gRPC made it for this call alone, and reads it no more: it is const only in the signature.
  IdentifierFields::Of<Request>().Canonicalize(const_cast<Request*>(request));
  auto* call = new UnaryCall(&service, method, context, *request, *response);
  // Before anything can refuse it.
  if constexpr (requires { request->request_id(); }) call->NameCreation(request->request_id());
  call->NameSubject(SubjectOf(*request));
  absl::StatusOr<auth::Caller> caller = Identify(service.backends, method, *context);
  absl::Status status = caller.ok() ? call->Admit(*std::move(caller)) : caller.status();
  if (!status.ok()) {
    call->Finish(status);
    return call;
  }
  status = Validate(*request);
  if (status.ok()) {
    call->set_valid();
    work(call, *request, response);
  } else if (requires { response->replayed(); }) {
    RefuseCreation(call, std::move(status));
  } else {
    call->Finish(status);
  }
  return call;
}

// The work of an RPC that is one REST call and nothing else.
template <typename Request, typename Response>
void Forward(UnaryCall* call, const Request& request, Response* response) {
  if (const auto context = call->Upstream()) {
    call->Send(request, response, *context,
               [call](upstream::CallResult) { call->Finish(absl::OkStatus()); });
  }
}

}  // namespace ipp::rpc
