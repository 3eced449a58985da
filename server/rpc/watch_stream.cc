#include "server/rpc/watch_stream.h"

#include <algorithm>
#include <utility>

#include "server/base/error.h"
#include "server/base/status_macros.h"
#include "server/sessions/session_state.h"
#include "server/store/store_error.h"

namespace ipp::rpc {
namespace {

namespace v1 = kustom::ipp::v1;

// How often a session that is yet to be created is looked for.
constexpr absl::Duration kLookAgain = absl::Milliseconds(500);

class WatchStream final : public EventStream {
 public:
  WatchStream(const Edge& edge, StreamRegistry* streams, grpc::CallbackServerContext* context)
      : EventStream(edge, streams, edge.methods.Find<v1::WatchSessionRequest>(), context) {}

  void Begin(const grpc::ByteBuffer& buffer) {
    v1::WatchSessionRequest request;
    const absl::Status status = Prepare(buffer, &request);
    if (!status.ok()) return Fail(status);
    request_id_ = request.request_id();
    request_id_.empty() ? ReadState(request.session_id()) : FindByRequest();
  }

 private:
  // gRPC is done with the stream only after Open or Fail, so `this` is safe in every callback
  // before that.
  absl::Status Prepare(const grpc::ByteBuffer& buffer, v1::WatchSessionRequest* request) {
    IPP_ASSIGN_OR_RETURN(
        const auth::Caller caller,
        Identify(edge().gateway, edge().methods.Find<v1::WatchSessionRequest>(), *context()));
    IPP_RETURN_IF_ERROR(ParseRequest(buffer, request));
    IPP_RETURN_IF_ERROR(Validate(*request));
    IPP_ASSIGN_OR_RETURN(upstream_, ContextOf(edge().gateway, caller, *context(), trace()));
    return Admit(caller);
  }

  void FindByRequest() {
    edge().gateway.store->FindSessionByRequest(
        upstream_.merchant_id, request_id_, [this](absl::StatusOr<store::SessionRecord> record) {
          if (record.ok()) return ReadState(record->session.session_id());
          if (!absl::IsNotFound(record.status())) return Fail(store::ForCallers(record.status()));
          if (const absl::Status wanted = StillWanted(); !wanted.ok()) return Fail(wanted);
          edge().gateway.scheduler->RunAfter(kLookAgain, [this] { FindByRequest(); });
        });
  }

  void ReadState(const std::string& session_id) {
    // Taken before the state is read: no step can fall between the two.
    const store::LogBounds bounds = edge().gateway.store->bounds();
    place_ = {bounds.latest, bounds.epoch().label};
    v1::GetSessionRequest request;
    request.set_session_id(session_id);
    // The answer may come before Start returns, and end the stream.
    const auto self = shared_from_this();
    auto call = edge().gateway.upstream->Start(
        *edge().methods.Find<v1::GetSessionRequest>().route, request, &read_, upstream_,
        [this, session_id](upstream::CallResult result) { GotState(session_id, result); });
    {
      MutexLock lock(&mutex_);
      call_ = call;
    }
    // It may have become unwanted before there was a call to cancel.
    if (!StillWanted().ok()) call->Cancel();
  }

  void OnUnwanted() override {
    std::shared_ptr<upstream::UpstreamClient::Call> call;
    {
      MutexLock lock(&mutex_);
      call = call_;
    }
    if (call != nullptr) call->Cancel();
  }

  void GotState(const std::string& session_id, const upstream::CallResult& result) {
    const absl::Status& status = result.status;
    if (status.ok()) {
      read_.mutable_session()->set_session_id(session_id);
      edge().gateway.observer->Observe(upstream_.merchant_id, read_.session(), result.request_id);
      return OpenWith(std::move(*read_.mutable_session()));
    }
    if (absl::IsNotFound(status)) return Fail(status);
    // The upstream cannot be asked now: what was heard last will do, and the steps still come.
    edge().gateway.store->FindSession(upstream_.merchant_id, session_id,
                                      [this, status](absl::StatusOr<store::SessionRecord> record) {
                                        record.ok() ? OpenWith(std::move(record->session))
                                                    : Fail(status);
                                      });
  }

  void OpenWith(v1::Session session) {
    session_ = std::move(session);
    v1::WatchSessionResponse first;
    *first.mutable_session() = session_;
    if (sessions::IsFinal(session_.status())) return Open(nullptr, first);
    watch_ = edge().gateway.reconciler->WatchSession(upstream_.merchant_id, session_.session_id());
    v1::SessionEventFilter filter;
    filter.add_session_ids(session_.session_id());
    absl::StatusOr<events::EventFilter> made =
        events::EventFilter::Create(filter, {upstream_.merchant_id});
    if (!made.ok()) return Fail(made.status());
    Open(edge().gateway.hub->Subscribe(*std::move(made), place_), first);
  }

  bool ForEvent(events::EventPtr event, grpc::ByteBuffer* out, bool* last) override {
    const v1::SessionEvent news = event->Parse();
    const v1::SessionStatus status = sessions::StatusAfter(news.type());
    const bool attempt = news.type() == v1::SESSION_EVENT_TYPE_PAYMENT_FAILED;
    // Steps are numbered by the status; what the first message told already is passed over.
    if (!attempt && status <= session_.status()) return false;
    const v1::SessionStatus told = session_.status();
    if (!news.session().device_id().empty()) session_ = news.session();
    // A failed payment may be recorded with a status that is behind what was read.
    session_.set_status(attempt ? std::max(told, session_.status()) : status);
    if (!news.order_id().empty()) session_.set_order_id(news.order_id());
    *last = sessions::IsFinal(session_.status());
    v1::WatchSessionResponse step;
    *step.mutable_session() = session_;
    step.set_failure_reason(news.failure_reason());
    Serialize(step, out);
    return true;
  }

  void Heartbeat(const events::LogPlace&, grpc::ByteBuffer*) override {}  // none is asked for
  bool Goodbye(const events::LogPlace&, absl::string_view, grpc::ByteBuffer*) override {
    return false;
  }
  // A watch has no cursor: it begins anew with the state of the session.
  absl::Status WhenFailed(const absl::Status& status) override {
    if (absl::IsUnavailable(status)) return status;
    return MakeError(absl::StatusCode::kUnavailable,
                     "the events that this watch follows are gone; watch the session again",
                     {.reason = "WATCH_BROKEN",
                      .metadata = {{"retry_safe", "true"}},
                      .violations = {},
                      .retry_after = std::nullopt});
  }

  Mutex mutex_;
  std::shared_ptr<upstream::UpstreamClient::Call> call_ ABSL_GUARDED_BY(mutex_);  // the read

  upstream::CallContext upstream_;
  std::string request_id_;
  events::LogPlace place_;
  v1::GetSessionResponse read_;
  v1::Session session_;  // as last sent
  std::unique_ptr<sessions::Reconciler::Watch> watch_;
};

}  // namespace

grpc::ServerWriteReactor<grpc::ByteBuffer>* StartWatchStream(const Edge& edge,
                                                             StreamRegistry* streams,
                                                             grpc::CallbackServerContext* context,
                                                             const grpc::ByteBuffer* request) {
  auto stream = std::make_shared<WatchStream>(edge, streams, context);
  stream->KeepUntilDone();
  stream->Begin(*request);
  return stream.get();
}

}  // namespace ipp::rpc
