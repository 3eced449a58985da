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
#include "server/base/tracer.h"
#include "server/creates/create_flow.h"
#include "server/rpc/audit.h"
#include "server/rpc/service_context.h"
#include "server/upstream/upstream_client.h"

namespace ipp::rpc {

// One unary RPC: authenticates the caller, validates the request, and reports the result. The code
// that serves it calls Finish exactly once, on any thread. Deletes itself when gRPC has finished
// with it, so `request` and `response` live until Finish.
class UnaryCall final : public grpc::ServerUnaryReactor, public creates::CreateCall {
 public:
  UnaryCall(const ServiceContext* service, const Method& method,
            grpc::CallbackServerContext* context, const google::protobuf::Message& request,
            const google::protobuf::Message& response);

  const ServiceContext& service() const { return *service_; }
  const routes::Route& route() const { return *method_.route; }
  const auth::Caller& caller() const { return caller_; }
  // The merchant, once it was chosen (by Upstream); empty before.
  const std::string& merchant_id() const { return merchant_id_; }
  // The trace of the call, under the call's own span if it has one; always has a trace id.
  const TraceContext& trace() const override { return trace_; }
  // Sets the caller and counts the call. Returns the errors of CallerUse::BeginCall.
  absl::Status Admit(auth::Caller caller);

  // The merchant, trace and deadline for upstream calls. If the merchant cannot be determined,
  // finishes the RPC with an error and returns nothing.
  std::optional<upstream::CallContext> Upstream();

  // Identifies this create by the caller's request_id, or by a new one if that is empty: in the
  // trailer `x-request-id` and in every later error. A request_id that is not a UUID is ignored.
  void NameCreation(const std::string& request_id);
  const std::string& request_id() const { return request_id_; }
  // True if the caller sent the request_id; false if the gateway made it.
  bool request_id_is_callers() const { return request_id_is_callers_; }
  creates::CreateId create_id(const std::string& merchant_id) const {
    return {merchant_id, request_id_, request_id_is_callers_};
  }
  void set_ledger_asked() override { ledger_asked_ = true; }

  // How to read the id of what a create made from its response; not set for other RPCs.
  using CreatedId = std::string (*)(const google::protobuf::Message& response);
  void set_created_id(CreatedId created_id) { created_id_ = created_id; }

  // The caller is admitted and the request is valid.
  void set_valid() { valid_ = true; }

  // Sets the id of the resource that the call is about, for the audit log. A text that is not a
  // UUID could be anything and is ignored.
  void NameSubject(const std::string& id);

  // Runs `start`. The upstream call that it starts is cancelled when the caller goes away, or
  // immediately if the caller has already gone. That call may end, and finish the RPC, before
  // `start` returns.
  using Handle = std::shared_ptr<upstream::UpstreamClient::Call>;
  void CancelWithCaller(absl::FunctionRef<Handle()> start);

  // Sends `request` as this RPC's REST call. `then` runs if it succeeds; an error finishes the RPC.
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

  // If the caller chose the request_id and the ledger was not asked, an error contains no
  // `outcome`.
  void Finish(const absl::Status& result) override;

 private:
  void Start(const routes::Route& route, const google::protobuf::Message& request,
             google::protobuf::Message* response, const upstream::CallContext& context,
             absl::AnyInvocable<void(upstream::CallResult) &&> then,
             std::optional<routes::PageQuery> page);
  // Logs request and response, masked, at level debug. Omits requests that were refused before or
  // by validation: they may come from a stranger and contain anything, such as a token in place of
  // an id.
  void Show(const absl::Status& status) const;
  // Writes one audit line per requested change, and per read of an unauthenticated client or of a
  // caller without the permission. Rate-limited, except for changes that a known caller requests.
  void Audit(absl::StatusCode code, const ErrorDetail& detail) const;
  void BeginSpan();
  void EndSpan();
  void OnCancel() override;
  void OnDone() override;
  // Lets gRPC run OnCancel and OnDone on the thread that noticed the event, as for its own default
  // reactor. Both are short and take only locks of this call. Otherwise each call would go through
  // gRPC's executor: a wakeup and a thread switch, as much CPU as a third of an empty call.
  bool InternalInlineable() override { return true; }
  void Unref();

  const ServiceContext* const service_;
  const Method& method_;
  grpc::CallbackServerContext* const context_;
  const google::protobuf::Message& request_;
  const google::protobuf::Message& response_;
  const absl::Time started_;
  TraceContext trace_;          // does not change after the constructor
  std::unique_ptr<Span> span_;  // null in most calls
  auth::Caller caller_;
  bool admitted_ = false;
  bool valid_ = false;
  std::string merchant_id_;  // set once it was chosen
  std::string subject_;
  CreatedId created_id_ = nullptr;
  std::string request_id_;
  bool request_id_is_callers_ = false;
  bool ledger_asked_ = false;
  int code_ = 0;
  // One reference of gRPC until OnDone, and one for each CancelWithCaller that has not returned.
  std::atomic<int> refs_{1};
  PendingCall<upstream::UpstreamClient::Call> pending_;
};

// The id of the resource that a request is about; empty if it is not about an existing resource.
template <typename Request>
std::string SubjectOf(const Request& request) {
  if constexpr (requires { request.session_id(); }) return request.session_id();
  if constexpr (requires { request.device_id(); }) return request.device_id();
  if constexpr (requires { request.enrollment_id(); }) return request.enrollment_id();
  return {};
}

// Whether a request names one create: not one that searches, or reads a history, by request_id.
template <typename Request>
constexpr bool NamesCreate() {
  constexpr bool has_id = requires(const Request& r) { r.request_id(); };
  constexpr bool searches = requires(const Request& r) { r.page_token(); };
  constexpr bool chooses = requires(const Request& r) { r.target_case(); };
  return has_id && !searches && !chooses;
}

// Runs creates::RefuseCreation for this call.
void RefuseCreation(UnaryCall* call, absl::Status status);

// The entry to every unary RPC: authenticates the caller, checks the permission, validates the
// request, then runs `work`.
template <typename Request, typename Response>
grpc::ServerUnaryReactor* Serve(const ServiceContext& service, grpc::CallbackServerContext* context,
                                const Request* request, Response* response,
                                void (*work)(UnaryCall*, const Request&, Response*)) {
  const Method& method = service.methods.Find<Request>();
  // gRPC made this request for this call alone and does not read it again; only the signature makes
  // it const.
  IdentifierFields::Of<Request>().Canonicalize(const_cast<Request*>(request));
  auto* call = new UnaryCall(&service, method, context, *request, *response);
  // Before the call can be refused, so that the error names the create.
  if constexpr (NamesCreate<Request>()) call->NameCreation(request->request_id());
  call->NameSubject(SubjectOf(*request));
  if constexpr (requires { response->replayed(); }) {
    call->set_created_id([](const google::protobuf::Message& message) {
      return CreatedIdOf(static_cast<const Response&>(message));
    });
  }
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

// Serves an RPC that is one REST call and nothing else.
template <typename Request, typename Response>
void Forward(UnaryCall* call, const Request& request, Response* response) {
  if (const auto context = call->Upstream()) {
    call->Send(request, response, *context,
               [call](upstream::CallResult) { call->Finish(absl::OkStatus()); });
  }
}

}  // namespace ipp::rpc
