#include <algorithm>
#include <memory>
#include <utility>

#include "kustom/ipp/v1/session_event.grpc.pb.h"
#include "server/base/error.h"
#include "server/base/protobuf_time.h"
#include "server/events/cursor.h"
#include "server/rpc/page_token.h"
#include "server/rpc/services.h"
#include "server/rpc/subscribe_stream.h"
#include "server/rpc/unary_call.h"
#include "server/store/store_error.h"

namespace ipp::rpc {
namespace {

namespace v1 = kustom::ipp::v1;
using Context = grpc::CallbackServerContext;

constexpr int kDefaultEventPageSize = 100;
constexpr int kReadEvents = 512;
// A filter that matches little ends a page early rather than walk the whole log in one call.
constexpr int kMaxReads = 20;

// One ListSessionEvents call: reads the log until the page is full, the end is reached, or enough
// was read.
class EventPage : public std::enable_shared_from_this<EventPage> {
 public:
  EventPage(UnaryCall* call, const v1::ListSessionEventsRequest& request,
            v1::ListSessionEventsResponse* response, events::EventFilter filter)
      : call_(call),
        request_(request),
        response_(response),
        filter_(std::move(filter)),
        size_(request.page_size() == 0 ? kDefaultEventPageSize : request.page_size()) {}

  void Begin() {
    const absl::StatusOr<int64_t> after = DecodePageToken(request_, call_->caller().name);
    if (!after.ok()) return call_->Finish(after.status());
    const store::LogBounds bounds = store()->bounds();
    if (!request_.page_token().empty()) {
      if (*after + 1 < bounds.oldest) {
        return call_->Finish(events::CursorExpired(store()->log_id(), bounds, "page_token"));
      }
      return ReadAfter(*after, true);
    }
    if (!request_.has_start_time()) return ReadAfter(bounds.oldest - 1, false);
    store()->FindPosition(FromTimestamp(request_.start_time()),
                          [self = shared_from_this()](absl::StatusOr<int64_t> position) {
                            position.ok()
                                ? self->ReadAfter(*position, false)
                                : self->call_->Finish(store::ForCallers(position.status()));
                          });
  }

 private:
  store::Store* store() { return call_->edge().gateway.store; }

  // `continues`: what comes next must be there; otherwise the page begins with what is kept.
  void ReadAfter(int64_t position, bool continues) {
    store()->ReadEvents(position, kReadEvents,
                        [self = shared_from_this(), position,
                         continues](absl::StatusOr<std::vector<store::StoredEvent>> rows) {
                          if (!rows.ok()) {
                            return self->call_->Finish(store::ForCallers(rows.status()));
                          }
                          self->Take(position, continues, *std::move(rows));
                        });
  }

  void Take(int64_t position, bool continues, std::vector<store::StoredEvent> rows) {
    const store::LogBounds bounds = store()->bounds();
    const bool gone =
        rows.empty() ? position + 1 < bounds.oldest : rows.front().position != position + 1;
    if (continues && gone) {
      return call_->Finish(events::CursorExpired(store()->log_id(), bounds, "page_token"));
    }
    if (rows.empty()) return call_->Finish(absl::OkStatus());
    for (store::StoredEvent& row : rows) {
      if (response_->events_size() == size_) return FinishAt(position);
      position = row.position;
      if (!filter_.Matches(row)) continue;
      *response_->add_events() = events::LogEvent::Make(std::move(row), store()->log_id())->Parse();
    }
    if (response_->events_size() == size_ || ++reads_ >= kMaxReads) return FinishAt(position);
    ReadAfter(position, true);
  }

  void FinishAt(int64_t position) {
    if (position < store()->bounds().latest) {
      response_->set_next_page_token(EncodePageToken(request_, call_->caller().name, position));
    }
    call_->Finish(absl::OkStatus());
  }

  UnaryCall* const call_;
  const v1::ListSessionEventsRequest& request_;
  v1::ListSessionEventsResponse* const response_;
  const events::EventFilter filter_;
  const int size_;
  int reads_ = 0;
};

void ListSessionEventsWork(UnaryCall* call, const v1::ListSessionEventsRequest& request,
                           v1::ListSessionEventsResponse* response) {
  const auto& asked = request.filter().merchant_ids();
  absl::StatusOr<std::vector<std::string>> merchants =
      auth::NarrowMerchants(call->caller(), {asked.begin(), asked.end()});
  if (!merchants.ok()) return call->Finish(merchants.status());
  absl::StatusOr<events::EventFilter> filter =
      events::EventFilter::Create(request.filter(), *std::move(merchants));
  if (!filter.ok()) return call->Finish(filter.status());
  std::make_shared<EventPage>(call, request, response, *std::move(filter))->Begin();
}

using RawSubscribe = v1::SessionEventService::WithRawCallbackMethod_SubscribeSessionEvents<
    v1::SessionEventService::CallbackService>;

class EventServiceImpl final : public RawSubscribe {
 public:
  EventServiceImpl(const Edge* edge, StreamRegistry* streams) : edge_(*edge), streams_(streams) {}

  grpc::ServerWriteReactor<grpc::ByteBuffer>* SubscribeSessionEvents(
      Context* context, const grpc::ByteBuffer* request) override {
    return StartSubscribeStream(edge_, streams_, context, request);
  }
  grpc::ServerUnaryReactor* ListSessionEvents(Context* context,
                                              const v1::ListSessionEventsRequest* request,
                                              v1::ListSessionEventsResponse* response) override {
    return Serve(edge_, context, request, response, &ListSessionEventsWork);
  }

 private:
  const Edge& edge_;
  StreamRegistry* const streams_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewSessionEventService(const Edge* edge, StreamRegistry* streams) {
  return std::make_unique<EventServiceImpl>(edge, streams);
}

}  // namespace ipp::rpc
