#include "server/rpc/watch_stream.h"

#include <algorithm>
#include <utility>

#include "server/base/error.h"
#include "server/base/pending_call.h"
#include "server/base/status_macros.h"
#include "server/creates/create_request.h"
#include "server/sessions/session_state.h"
#include "server/store/message_size.h"
#include "server/store/store_error.h"

namespace ipp::rpc {
namespace {

namespace v1 = kustom::ipp::v1;

using sessions::IsFinal;

// The session that was read, or the recorded one if that is later.
v1::Session Later(v1::Session read, const store::SessionRecord& record) {
  const v1::Session& known = record.session;
  const bool later =
      !IsFinal(read.status()) && (IsFinal(known.status()) || known.status() > read.status());
  if (!later && known.status() != read.status()) return read;
  v1::Session session = later && record.complete ? known : std::move(read);
  session.set_status(known.status());
  if (later) session.clear_status_raw();
  if (session.order_id().empty()) session.set_order_id(known.order_id());
  return session;
}

class WatchStream final : public StreamCall {
 public:
  WatchStream(const ServiceContext& service, events::StreamRegistry* streams,
              grpc::CallbackServerContext* context)
      : StreamCall(service, streams, service.methods.Find<v1::WatchSessionRequest>(), context) {}

  void Begin(const grpc::ByteBuffer& buffer) {
    v1::WatchSessionRequest request;
    const absl::Status status = Prepare(buffer, &request);
    if (!status.ok()) return Fail(status);
    request_id_ = request.request_id();
    request_id_.empty() ? ReadState(request.session_id()) : FindByRequest();
  }

 private:
  // gRPC does not finish with the stream before Open or Fail, so `this` is valid in every callback
  // before that.
  absl::Status Prepare(const grpc::ByteBuffer& buffer, v1::WatchSessionRequest* request) {
    IPP_ASSIGN_OR_RETURN(const auth::Caller caller,
                         Identify(service().backends,
                                  service().methods.Find<v1::WatchSessionRequest>(), *context()));
    IPP_RETURN_IF_ERROR(ParseRequest(buffer, request));
    IPP_RETURN_IF_ERROR(Validate(*request));
    IPP_ASSIGN_OR_RETURN(upstream_, ContextOf(service().backends, caller, *context(), trace()));
    set_heartbeat_interval(service().backends.options.heartbeat_interval);
    if (request->has_heartbeat_interval()) {
      set_heartbeat_interval(absl::Seconds(request->heartbeat_interval().seconds()) +
                             absl::Nanoseconds(request->heartbeat_interval().nanos()));
      set_early_heartbeats();
    }
    return AdmitCaller(caller);
  }

  void FindByRequest() {
    service().backends.store->FindSessionByRequest(
        upstream_.merchant_id, request_id_, [this](absl::StatusOr<store::SessionRecord> record) {
          if (record.ok()) return ReadState(record->session.session_id());
          if (!absl::IsNotFound(record.status())) return Fail(store::ForCallers(record.status()));
          FindCreate();
        });
  }

  // The create has no session, or not yet.
  void FindCreate() {
    service().backends.store->FindIntent(
        upstream_.merchant_id, request_id_, [this](absl::StatusOr<store::IntentRecord> create) {
          if (!create.ok() && !absl::IsNotFound(create.status())) {
            return Fail(store::ForCallers(create.status()));
          }
          if (create.ok() && create->state == store::IntentState::kRejected) {
            return Fail(creates::RefusalOf(*create));
          }
          if (create.ok() && !create->session_id.empty()) return ReadState(create->session_id);
          AwaitCreate();
        });
  }

  void AwaitCreate() {
    // The wait may be over before Start returns, and the stream with it.
    const auto self = shared_from_this();
    wait_.Start([&] {
      return service().backends.create_waits->Start({upstream_.merchant_id, request_id_}, [this] {
        if (const absl::Status wanted = StillWanted(); !wanted.ok()) return Fail(wanted);
        FindByRequest();
      });
    });
  }

  void ReadState(const std::string& session_id) {
    // Taken before the state is read, so that no event can be lost in between.
    const store::LogBounds bounds = service().backends.store->bounds();
    place_ = {bounds.latest, bounds.epoch().label};
    read_.Clear();
    v1::GetSessionRequest request;
    request.set_session_id(session_id);
    // The answer may arrive before Start returns, and end the stream.
    const auto self = shared_from_this();
    call_.Start([&] {
      return service().backends.upstream->Start(
          *service().methods.Find<v1::GetSessionRequest>().route, request, &read_, upstream_,
          [this, session_id](upstream::CallResult result) { GotState(session_id, result); });
    });
  }

  void OnUnwanted() override {
    call_.Cancel();
    wait_.Cancel();
  }

  void GotState(const std::string& session_id, const upstream::CallResult& result) {
    const absl::Status& status = result.status;
    if (status.ok()) {
      read_.mutable_session()->set_session_id(session_id);
      service().backends.observer->Observe(upstream_.merchant_id, read_.session(),
                                           result.request_id);
    }
    service().backends.store->FindSession(
        upstream_.merchant_id, session_id,
        [this, status, session_id](absl::StatusOr<store::SessionRecord> record) {
          if (status.ok()) return GotBoth(session_id, record);
          const bool ended = record.ok() && IsFinal(record->session.status());
          // The upstream cannot be asked now, so show the last recorded state; later events will
          // follow.
          const bool will_do = record.ok() && (ended || !absl::IsNotFound(status));
          will_do ? OpenWith(std::move(record->session)) : Fail(status);
        });
  }

  // The session that was read may be older than the log.
  void GotBoth(const std::string& session_id, const absl::StatusOr<store::SessionRecord>& record) {
    v1::Session& read = *read_.mutable_session();
    if (!record.ok()) return OpenWith(std::move(read));
    const v1::SessionStatus recorded = record->session.status();
    const bool disagree = IsFinal(recorded) && IsFinal(read.status()) && recorded != read.status();
    // The two final states differ; a second read decides which one is right.
    if (disagree && !std::exchange(read_twice_, true)) return ReadState(session_id);
    OpenWith(Later(std::move(read), *record));
  }

  void OpenWith(v1::Session session) {
    session_ = std::move(session);
    truncated_ = store::CapSession(&session_);
    events::StreamMessage first(State());
    if (IsFinal(session_.status())) return Open(nullptr, std::move(first));
    watch_ =
        service().backends.reconciler->WatchSession(upstream_.merchant_id, session_.session_id());
    v1::SessionEventFilter filter;
    filter.add_session_ids(session_.session_id());
    absl::StatusOr<events::EventFilter> made =
        events::EventFilter::Create(filter, {upstream_.merchant_id});
    if (!made.ok()) return Fail(made.status());
    Open(service().backends.hub->Subscribe(*std::move(made), place_), std::move(first));
  }

  v1::WatchSessionResponse State() const {
    v1::WatchSessionResponse state;
    *state.mutable_session() = session_;
    state.set_session_truncated(truncated_);
    return state;
  }

  bool ForEvent(events::EventPtr event, events::StreamMessage* out, bool* last) override {
    const v1::SessionEvent update = event->Parse();
    // Not a change of status: its data is sent with the next message.
    if (update.type() == v1::SESSION_EVENT_TYPE_DETAILS) {
      Take(update, session_.status());
      return false;
    }
    const v1::SessionStatus status = sessions::StatusAfter(update.type());
    const bool attempt = update.type() == v1::SESSION_EVENT_TYPE_PAYMENT_FAILED;
    // Statuses are ordered by number. Skip what the first message has already shown.
    if (!attempt && status <= session_.status()) return false;
    // A failed payment may be recorded with a status that is older than the one that was read.
    Take(update, attempt ? std::max(session_.status(), update.session().status()) : status);
    *last = IsFinal(session_.status());
    v1::WatchSessionResponse step = State();
    step.set_failure_reason(update.failure_reason());
    *out = events::StreamMessage(step);
    if (traces()) out->set_traceparent(update.traceparent());
    return true;
  }

  // Copies what the event says about the session, and sets that status.
  void Take(const v1::SessionEvent& update, v1::SessionStatus status) {
    if (!update.session().device_id().empty()) {
      session_ = update.session();
      truncated_ = update.session_truncated();
    }
    session_.set_status(status);
    if (!update.order_id().empty()) session_.set_order_id(update.order_id());
  }

  void Heartbeat(const events::LogPlace&, events::StreamMessage* out) override {
    v1::WatchSessionResponse beat = State();
    beat.set_heartbeat(true);
    *out = events::StreamMessage(beat);
  }
  // There is no session to show yet.
  void EarlyHeartbeat(events::StreamMessage* out) override {
    v1::WatchSessionResponse beat;
    beat.set_heartbeat(true);
    *out = events::StreamMessage(beat);
  }
  bool Goodbye(const events::LogPlace&, absl::string_view, events::StreamMessage*) override {
    return false;
  }
  // A watch has no cursor; the caller starts a new watch, which begins with the session's state.
  absl::Status WhenFailed(const absl::Status& status) override {
    if (absl::IsUnavailable(status)) return status;
    return MakeError(absl::StatusCode::kUnavailable,
                     "the events that this watch follows are gone; watch the session again",
                     {.reason = "WATCH_BROKEN", .metadata = {{"retry_safe", "true"}}});
  }

  PendingCall<upstream::UpstreamClient::Call> call_;  // the read
  PendingCall<creates::CreateWaits::Wait> wait_;      // for a create without a session

  upstream::CallContext upstream_;
  std::string request_id_;
  events::LogPlace place_;
  v1::GetSessionResponse read_;
  bool read_twice_ = false;
  v1::Session session_;  // as last sent, updated by later DETAILS events
  bool truncated_ = false;
  std::unique_ptr<sessions::Reconciler::Watch> watch_;
};

}  // namespace

grpc::ServerWriteReactor<grpc::ByteBuffer>* StartWatchStream(const ServiceContext& service,
                                                             events::StreamRegistry* streams,
                                                             grpc::CallbackServerContext* context,
                                                             const grpc::ByteBuffer* request) {
  auto stream = std::make_shared<WatchStream>(service, streams, context);
  stream->KeepUntilDone();
  stream->Begin(*request);
  return stream.get();
}

}  // namespace ipp::rpc
