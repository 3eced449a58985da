#include "server/rpc/receive_stream.h"

#include <any>
#include <memory>
#include <utility>

#include "server/base/protobuf_time.h"
#include "server/base/status_macros.h"
#include "server/events/cursor.h"
#include "server/events/event_trace.h"
#include "server/shared/shared_hub.h"
#include "server/store/store_error.h"

namespace ipp::rpc {
namespace {

namespace v1 = kustom::ipp::v1;

constexpr int kDefaultInFlight = 16;

class ReceiveStream final : public StreamCall {
 public:
  ReceiveStream(const ServiceContext& service, events::StreamRegistry* streams,
                grpc::CallbackServerContext* context)
      : StreamCall(service, streams, service.methods.Find<v1::ReceiveSessionEventsRequest>(),
                   context) {}

  void Begin(const grpc::ByteBuffer& buffer) {
    const absl::Status status = Prepare(buffer);
    if (!status.ok()) return Fail(status);
    // `this` stays valid: gRPC does not finish with the stream before Open or Fail.
    hub()->Find(who_.name, request_.subscription(), /*fresh=*/true,
                [this](absl::StatusOr<shared::SpecPtr> spec) {
                  spec.ok() ? Resume(*std::move(spec)) : Fail(spec.status());
                });
  }

 private:
  shared::SharedHub* hub() { return service().backends.shared; }

  absl::Status Prepare(const grpc::ByteBuffer& buffer) {
    IPP_ASSIGN_OR_RETURN(
        who_, Identify(service().backends,
                       service().methods.Find<v1::ReceiveSessionEventsRequest>(), *context()));
    IPP_RETURN_IF_ERROR(ParseRequest(buffer, &request_));
    IPP_RETURN_IF_ERROR(Validate(request_));
    set_heartbeat_interval(request_.has_heartbeat_interval()
                               ? FromDuration(request_.heartbeat_interval())
                               : service().backends.options.heartbeat_interval);
    return AdmitCaller(who_);
  }

  void Resume(shared::SpecPtr spec) {
    // The caller may have lost a merchant since the subscription was made.
    const auto& merchants = spec->subscription.merchant_ids();
    const absl::Status allowed =
        auth::NarrowMerchants(who_, {merchants.begin(), merchants.end()}).status();
    if (!allowed.ok()) return Fail(allowed);
    const bool skip = request_.on_cursor_expired() == v1::CURSOR_EXPIRED_POLICY_SKIP_TO_OLDEST;
    service().backends.store->ChangeShared(
        {.id = spec->id,
         .work = [target = spec->target(hub()->Random()),
                  skip](store::SharedTables& tables) -> absl::StatusOr<std::any> {
           IPP_ASSIGN_OR_RETURN(shared::SkipResult result, shared::Resume(tables, target, skip));
           return std::any(result);
         }},
        [this, spec](absl::StatusOr<std::any> result) {
          if (!result.ok()) return Fail(store::ForCallers(result.status()));
          Resumed(spec, std::any_cast<const shared::SkipResult&>(*result));
        });
  }

  void Resumed(const shared::SpecPtr& spec, const shared::SkipResult& result) {
    switch (result.found) {
      case shared::Found::kNo:
        return Fail(shared::NoSuchSubscription());
      case shared::Found::kExpired:
        return Fail(events::CursorExpired(log_id(), service().backends.store->bounds(),
                                          "on_cursor_expired"));
      case shared::Found::kYes:
        break;
    }
    v1::ReceiveSessionEventsResponse first;
    *first.mutable_started()->mutable_subscription() = spec->subscription;
    first.mutable_started()->set_skipped(result.skipped);
    const int in_flight =
        request_.max_in_flight() == 0 ? kDefaultInFlight : request_.max_in_flight();
    Open(hub()->Receive(spec, request_.consumer(), in_flight), events::StreamMessage(first));
  }

  bool ForEvent(events::EventPtr event, events::StreamMessage* out, bool* /*last*/) override {
    std::string trace;
    if (traces()) {
      trace =
          events::FindField(event->message, {v1::ReceiveSessionEventsResponse::kLeasedFieldNumber,
                                             v1::LeasedSessionEvent::kEventFieldNumber,
                                             v1::SessionEvent::kTraceparentFieldNumber});
    }
    *out = events::StreamMessage(std::move(event));
    out->set_traceparent(std::move(trace));
    return true;
  }

  void Heartbeat(const events::LogPlace& /*place*/, events::StreamMessage* out) override {
    v1::ReceiveSessionEventsResponse message;
    message.mutable_heartbeat();
    *out = events::StreamMessage(message);
  }

  bool Goodbye(const events::LogPlace& /*place*/, absl::string_view reason,
               events::StreamMessage* out) override {
    v1::ReceiveSessionEventsResponse message;
    message.mutable_goodbye()->set_reason(std::string(reason));
    *out = events::StreamMessage(message);
    return true;
  }

  auth::Caller who_;
  v1::ReceiveSessionEventsRequest request_;
};

}  // namespace

grpc::ServerWriteReactor<grpc::ByteBuffer>* StartReceiveStream(const ServiceContext& service,
                                                               events::StreamRegistry* streams,
                                                               grpc::CallbackServerContext* context,
                                                               const grpc::ByteBuffer* request) {
  auto stream = std::make_shared<ReceiveStream>(service, streams, context);
  stream->KeepUntilDone();
  stream->Begin(*request);
  return stream.get();
}

}  // namespace ipp::rpc
