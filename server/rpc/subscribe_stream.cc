#include "server/rpc/subscribe_stream.h"

#include <memory>
#include <optional>
#include <utility>

#include "server/base/error.h"
#include "server/base/protobuf_time.h"
#include "server/base/status_macros.h"
#include "server/events/cursor.h"
#include "server/events/event_trace.h"
#include "server/store/store_error.h"

namespace ipp::rpc {
namespace {

namespace v1 = kustom::ipp::v1;

constexpr char kAfterCursor[] = "after_cursor";

class SubscribeStream final : public StreamCall {
 public:
  SubscribeStream(const ServiceContext& service, events::StreamRegistry* streams,
                  grpc::CallbackServerContext* context)
      : StreamCall(service, streams, service.methods.Find<v1::SubscribeSessionEventsRequest>(),
                   context) {}

  void Begin(const grpc::ByteBuffer& buffer) {
    v1::SubscribeSessionEventsRequest request;
    const absl::Status status = Prepare(buffer, &request);
    if (!status.ok()) return Fail(status);
    if (request.has_start_time()) {
      // `this` stays valid: gRPC does not finish with the stream before Open or Fail.
      return service().backends.store->FindPosition(
          FromTimestamp(request.start_time()), [this](absl::StatusOr<int64_t> position) {
            position.ok() ? StartAt({*position, Epoch()}, true)
                          : Fail(store::ForCallers(position.status()));
          });
    }
    const store::LogBounds bounds = service().backends.store->bounds();
    if (request.has_position()) {
      // If the bounds lag behind, FROM_NOW begins slightly earlier, so no event is lost.
      return StartAt(
          {request.position() == v1::START_POSITION_FROM_NOW ? bounds.latest : bounds.oldest - 1,
           bounds.epoch().label},
          true);
    }
    StartAfter(request, bounds);
  }

 private:
  absl::Status Prepare(const grpc::ByteBuffer& buffer, v1::SubscribeSessionEventsRequest* request) {
    IPP_ASSIGN_OR_RETURN(
        const auth::Caller caller,
        Identify(service().backends, service().methods.Find<v1::SubscribeSessionEventsRequest>(),
                 *context()));
    IPP_RETURN_IF_ERROR(ParseRequest(buffer, request));
    IPP_RETURN_IF_ERROR(Validate(*request));
    const auto& asked = request->filter().merchant_ids();
    IPP_ASSIGN_OR_RETURN(std::vector<std::string> merchants,
                         auth::NarrowMerchants(caller, {asked.begin(), asked.end()}));
    IPP_ASSIGN_OR_RETURN(events::EventFilter filter,
                         events::EventFilter::Create(request->filter(), std::move(merchants)));
    filter_.emplace(std::move(filter));
    set_heartbeat_interval(request->has_heartbeat_interval()
                               ? absl::Seconds(request->heartbeat_interval().seconds()) +
                                     absl::Nanoseconds(request->heartbeat_interval().nanos())
                               : service().backends.options.heartbeat_interval);
    return AdmitCaller(caller);
  }

  void StartAfter(const v1::SubscribeSessionEventsRequest& request,
                  const store::LogBounds& bounds) {
    const absl::StatusOr<events::LogPlace> after =
        events::ParseCursor(request.after_cursor(), log_id(), kAfterCursor);
    if (!after.ok()) return Fail(after.status());
    const bool skip = skips_ =
        request.on_cursor_expired() == v1::CURSOR_EXPIRED_POLICY_SKIP_TO_OLDEST;
    const absl::Status place = events::CheckPlace(*after, log_id(), bounds, kAfterCursor);
    const bool certain = after->content == 0 || service().backends.hub->HasAtHand(*after);
    if ((place.ok() && certain) || (skip && absl::IsOutOfRange(place))) {
      return StartAt(*after, skip);
    }
    // The cursor may come from another replica, or events after it may have been trimmed there; or
    // the log may hold a different event at this position.
    events::CheckPlaceInLog(service().backends.store, *after, kAfterCursor,
                            [this, after = *after, skip](absl::Status in_log) {
                              if (in_log.ok() || (skip && absl::IsOutOfRange(in_log))) {
                                return StartAt(after, skip);
                              }
                              Fail(in_log);
                            });
  }

  uint16_t Epoch() const { return service().backends.store->bounds().epoch().label; }

  // `with_kept`: begin with the oldest event that is kept; otherwise the events after `place` must
  // still be there. Both apply to the start only. A stream that retention overtakes later ends with
  // CURSOR_EXPIRED, whatever `on_cursor_expired` is, since the loss can no longer be reported in
  // `started`. The caller's next request skips the lost events and reports it.
  void StartAt(const events::LogPlace& place, bool with_kept) {
    asked_ = place.position;
    subscription_ = service().backends.hub->Subscribe(*std::move(filter_), place);
    if (!with_kept ||
        subscription_->StartWithKept([this](absl::Status status) { Started(status); })) {
      Started(absl::OkStatus());
    }
  }

  void Started(const absl::Status& status) {
    if (!status.ok()) {
      subscription_ = nullptr;
      return Fail(status);
    }
    const events::LogPlace place = subscription_->place();
    const int64_t oldest = service().backends.store->bounds().oldest - 1;
    v1::SubscribeSessionEventsResponse first;
    v1::SubscriptionStarted* started = first.mutable_started();
    started->set_cursor(events::EncodeCursor(log_id(), place));
    started->set_oldest_cursor(events::EncodeCursor(log_id(), {oldest, place.epoch}));
    started->set_skipped(skips_ && place.position > asked_);
    Open(std::move(subscription_), events::StreamMessage(first));
  }

  bool ForEvent(events::EventPtr event, events::StreamMessage* out, bool* /*last*/) override {
    std::string trace;
    if (traces()) {
      trace =
          events::FindField(event->message, {v1::SubscribeSessionEventsResponse::kEventFieldNumber,
                                             v1::SessionEvent::kTraceparentFieldNumber});
    }
    *out = events::StreamMessage(std::move(event));
    out->set_traceparent(std::move(trace));
    return true;
  }

  void Heartbeat(const events::LogPlace& place, events::StreamMessage* out) override {
    v1::SubscribeSessionEventsResponse message;
    message.mutable_heartbeat()->set_cursor(events::EncodeCursor(log_id(), place));
    *out = events::StreamMessage(message);
  }

  bool Goodbye(const events::LogPlace& place, absl::string_view reason,
               events::StreamMessage* out) override {
    v1::SubscribeSessionEventsResponse message;
    message.mutable_goodbye()->set_cursor(events::EncodeCursor(log_id(), place));
    message.mutable_goodbye()->set_reason(std::string(reason));
    *out = events::StreamMessage(message);
    return true;
  }

  std::optional<events::EventFilter> filter_;
  // Set only until Open.
  std::unique_ptr<events::Subscription> subscription_;
  int64_t asked_ = 0;   // the position that was requested
  bool skips_ = false;  // skip events that are gone, and report it to the caller
};

}  // namespace

grpc::ServerWriteReactor<grpc::ByteBuffer>* StartSubscribeStream(
    const ServiceContext& service, events::StreamRegistry* streams,
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) {
  auto stream = std::make_shared<SubscribeStream>(service, streams, context);
  stream->KeepUntilDone();
  stream->Begin(*request);
  return stream.get();
}

}  // namespace ipp::rpc
