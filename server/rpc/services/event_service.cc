#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kustom/ipp/v1/session_event.grpc.pb.h"
#include "server/base/error.h"
#include "server/base/protobuf_time.h"
#include "server/events/cursor.h"
#include "server/rpc/page_token.h"
#include "server/rpc/services/services.h"
#include "server/rpc/subscribe_stream.h"
#include "server/rpc/unary_call.h"
#include "server/store/store_error.h"

namespace ipp::rpc {
namespace {

namespace v1 = kustom::ipp::v1;
using Context = grpc::CallbackServerContext;
using Rows = std::vector<store::StoredEvent>;

constexpr char kPageToken[] = "page_token";
constexpr int kDefaultEventPageSize = 100;
constexpr int kReadEvents = 512;
// With a filter that matches few events, a page ends early rather than read the whole log in one
// call.
constexpr int kMaxReads = 20;
// So does a page of large events: by default a client accepts messages of up to 4 MiB.
constexpr size_t kPageBytes = 1 << 20;
// In a page token, the low bits of `more` hold the content of the event at its position, the high
// bits the epoch.
constexpr int kContentBits = 24;
constexpr uint64_t kContentMask = (uint64_t{1} << kContentBits) - 1;

// One ListSessionEvents call: reads the log until the page is full, the end is reached, or the
// limit of reads is reached. A page that continues another one follows it without a gap, or fails
// with CURSOR_EXPIRED; the first page begins with the oldest event that is kept.
class EventPage : public std::enable_shared_from_this<EventPage> {
 public:
  EventPage(UnaryCall* call, const v1::ListSessionEventsRequest& request,
            v1::ListSessionEventsResponse* response, events::EventFilter filter)
      : call_(call),
        request_(request),
        response_(response),
        filter_(std::move(filter)),
        continues_(!request.page_token().empty()),
        size_(request.page_size() == 0 ? kDefaultEventPageSize : request.page_size()) {}

  void Begin() {
    if (continues_) return Continue();
    const store::LogBounds bounds = store()->bounds();
    place_.epoch = bounds.epoch().label;
    if (!request_.has_start_time()) return ReadAfter(bounds.oldest - 1);
    store()->FindPosition(FromTimestamp(request_.start_time()),
                          [self = shared_from_this()](absl::StatusOr<int64_t> position) {
                            position.ok() ? self->ReadAfter(*position)
                                          : self->FailStore(position.status());
                          });
  }

 private:
  store::Store* store() { return call_->service().backends.store; }
  void FailStore(const absl::Status& status) { call_->Finish(store::ForCallers(status)); }
  // The caller and the log to which a token belongs.
  std::string Scope() { return absl::StrCat(call_->caller().name, "/", store()->log_id()); }

  void Continue() {
    uint64_t more = 0;
    const absl::StatusOr<int64_t> after =
        DecodePageToken(request_, Scope(), std::numeric_limits<int64_t>::max() - 1, &more);
    if (!after.ok()) return call_->Finish(after.status());
    place_ = {*after, static_cast<uint16_t>(more >> kContentBits),
              static_cast<uint32_t>(more & kContentMask)};
    const store::LogBounds bounds = store()->bounds();
    if (place_.content == 0 &&
        events::CheckPlace(place_, store()->log_id(), bounds, kPageToken).ok()) {
      return GoOn(bounds);
    }
    // The token may come from another replica; or the log may hold a different event at this
    // position.
    events::CheckPlaceInLog(
        store(), place_, kPageToken, [self = shared_from_this()](absl::Status place) {
          place.ok() ? self->GoOn(self->store()->bounds()) : self->call_->Finish(place);
        });
  }

  // Reads on after `place_`, which must also be in the current epoch's history.
  void GoOn(const store::LogBounds& bounds) {
    if (place_.position > store::SharedThrough(bounds, place_.epoch)) {
      return call_->Finish(events::CursorForeign(kPageToken));
    }
    place_.epoch = bounds.epoch().label;
    ReadAfter(place_.position);
  }

  void ReadAfter(int64_t position) {
    store()->ReadEvents(
        position, kReadEvents, [self = shared_from_this(), position](absl::StatusOr<Rows> rows) {
          if (!rows.ok()) return self->FailStore(rows.status());
          if (!rows->empty() && rows->front().position == position + 1) {
            return self->Take(position, *std::move(rows));
          }
          // Either this is the end of the log, or retention has removed events.
          self->store()->RefreshBounds([self, position, rows = *std::move(rows)](
                                           absl::StatusOr<store::LogBounds> bounds) mutable {
            bounds.ok() ? self->TakeElsewhere(position, std::move(rows), *bounds)
                        : self->FailStore(bounds.status());
          });
        });
  }

  void TakeElsewhere(int64_t position, Rows rows, const store::LogBounds& bounds) {
    const bool taken = bounds.oldest > position + 1;
    // This page is complete; the next one reports that the following events are gone.
    if (taken && response_->events_size() > 0) return FinishWithToken(position);
    if (taken && continues_) {
      return call_->Finish(events::CursorExpired(store()->log_id(), bounds, kPageToken));
    }
    if (!rows.empty()) {
      const int64_t before = rows.front().position - 1;
      return Take(before, std::move(rows));
    }
    if (!taken || bounds.latest < bounds.oldest) return call_->Finish(absl::OkStatus());
    ++reads_ < kMaxReads ? ReadAfter(bounds.oldest - 1) : FinishWithToken(bounds.oldest - 1);
  }

  void Take(int64_t position, Rows rows) {
    for (store::StoredEvent& row : rows) {
      if (full()) return FinishWithToken(position);
      position = row.position;
      place_.position = position;
      place_.content = events::ContentOf(row);
      if (!filter_.Matches(row)) continue;
      const events::EventPtr event =
          events::LogEvent::Make(std::move(row), store()->log_id(), place_);
      bytes_ += event->message.size();
      *response_->add_events() = event->Parse();
    }
    if (full() || ++reads_ >= kMaxReads) return FinishAt(position);
    ReadAfter(position);
  }

  bool full() const { return response_->events_size() == size_ || bytes_ >= kPageBytes; }

  // Finishes with a token if there are more events; another replica may have written some.
  void FinishAt(int64_t position) {
    if (position < store()->bounds().latest) return FinishWithToken(position);
    store()->RefreshBounds(
        [self = shared_from_this(), position](absl::StatusOr<store::LogBounds> bounds) {
          if (!bounds.ok()) return self->FailStore(bounds.status());
          position < bounds->latest ? self->FinishWithToken(position)
                                    : self->call_->Finish(absl::OkStatus());
        });
  }

  void FinishWithToken(int64_t position) {
    const uint64_t content = position == place_.position ? place_.content : 0;
    response_->set_next_page_token(EncodePageToken(
        request_, Scope(), position, uint64_t{place_.epoch} << kContentBits | content));
    call_->Finish(absl::OkStatus());
  }

  UnaryCall* const call_;
  const v1::ListSessionEventsRequest& request_;
  v1::ListSessionEventsResponse* const response_;
  const events::EventFilter filter_;
  const bool continues_;
  const int size_;
  events::LogPlace place_;  // of the last event that was read, in the current epoch
  int reads_ = 0;
  size_t bytes_ = 0;
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
  EventServiceImpl(const ServiceContext* service, events::StreamRegistry* streams)
      : service_(*service), streams_(streams) {}

  grpc::ServerWriteReactor<grpc::ByteBuffer>* SubscribeSessionEvents(
      Context* context, const grpc::ByteBuffer* request) override {
    return StartSubscribeStream(service_, streams_, context, request);
  }
  grpc::ServerUnaryReactor* ListSessionEvents(Context* context,
                                              const v1::ListSessionEventsRequest* request,
                                              v1::ListSessionEventsResponse* response) override {
    return Serve(service_, context, request, response, &ListSessionEventsWork);
  }

 private:
  const ServiceContext& service_;
  events::StreamRegistry* const streams_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewSessionEventService(const ServiceContext* service,
                                                      events::StreamRegistry* streams) {
  return std::make_unique<EventServiceImpl>(service, streams);
}

}  // namespace ipp::rpc
