#include "server/rpc/services/session_list.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/base/protobuf_time.h"
#include "server/rpc/page_token.h"
#include "server/store/store_error.h"

namespace ipp::rpc {
namespace {

namespace v1 = kustom::ipp::v1;

constexpr int kDefaultPageSize = 100;
// How many sessions one read looks at, where the page is not full after the first.
constexpr int kReadSessions = 500;
// Where few sessions match, a page ends early rather than look at all of them in one call.
constexpr int kMaxReads = 20;
// So does a page of large sessions: by default a client accepts messages of up to 4 MiB.
constexpr size_t kPageBytes = 1 << 20;

// A place as a page token holds it: nanoseconds, the length of the merchant's id, both ids.
std::string Key(const store::SessionPlace& place) {
  const int64_t nanos = absl::ToUnixNanos(place.time);
  const auto length = static_cast<uint16_t>(place.merchant_id.size());
  std::string key(sizeof(nanos) + sizeof(length), '\0');
  std::memcpy(key.data(), &nanos, sizeof(nanos));
  std::memcpy(key.data() + sizeof(nanos), &length, sizeof(length));
  return key + place.merchant_id + place.session_id;
}

std::optional<store::SessionPlace> PlaceIn(const std::string& key) {
  int64_t nanos = 0;
  uint16_t length = 0;
  constexpr size_t kHead = sizeof(nanos) + sizeof(length);
  if (key.size() < kHead) return std::nullopt;
  std::memcpy(&nanos, key.data(), sizeof(nanos));
  std::memcpy(&length, key.data() + sizeof(nanos), sizeof(length));
  if (key.size() < kHead + length) return std::nullopt;
  return store::SessionPlace{.time = absl::FromUnixNanos(nanos),
                             .merchant_id = key.substr(kHead, length),
                             .session_id = key.substr(kHead + length)};
}

store::SessionQuery QueryOf(const v1::ListSessionsRequest& request) {
  store::SessionQuery query;
  for (const int status : request.statuses()) {
    query.statuses.push_back(static_cast<v1::SessionStatus>(status));
  }
  query.device_id = request.device_id();
  query.location_id = request.location_id();
  query.merchant_reference1 = request.merchant_reference1();
  query.merchant_reference2 = request.merchant_reference2();
  query.order_id = request.order_id();
  query.request_id = request.request_id();
  if (request.has_created_from()) query.created_from = FromTimestamp(request.created_from());
  if (request.has_created_before()) query.created_before = FromTimestamp(request.created_before());
  if (request.has_updated_from()) query.updated_from = FromTimestamp(request.updated_from());
  if (request.has_updated_before()) query.updated_before = FromTimestamp(request.updated_before());
  return query;
}

// One ListSessions call: reads along the index until the page is full, the end is reached, or the
// limit of reads is reached.
class SessionList : public std::enable_shared_from_this<SessionList> {
 public:
  SessionList(UnaryCall* call, const v1::ListSessionsRequest& request,
              v1::ListSessionsResponse* response, store::SessionQuery query)
      : call_(call),
        request_(request),
        response_(response),
        size_(request.page_size() == 0 ? kDefaultPageSize : request.page_size()),
        query_(std::move(query)) {
    query_.limit = size_ + 1;  // one more, to see if there is a next page
  }

  void Read() {
    call_->service().backends.store->SearchSessions(
        query_, [self = shared_from_this()](absl::StatusOr<store::SessionPage> page) {
          if (!page.ok()) return self->call_->Finish(store::ForCallers(page.status()));
          self->Take(*std::move(page));
        });
  }

 private:
  void Take(store::SessionPage page) {
    if (page.indexing) response_->set_indexing(true);
    for (const store::SessionRecord& record : page.sessions) {
      if (full()) return FinishWithToken(*query_.after);
      v1::KnownSession* const known = response_->add_sessions();
      Describe(record, known);
      bytes_ += known->ByteSizeLong();
      query_.after = store::PlaceOf(record, store::PathOf(query_));
    }
    if (!page.next) return call_->Finish(absl::OkStatus());
    query_.after = std::move(page.next);
    if (full() || ++reads_ >= kMaxReads || call_->cancelled()) {
      return FinishWithToken(*query_.after);
    }
    query_.limit = kReadSessions;
    Read();
  }

  bool full() const { return response_->sessions_size() == size_ || bytes_ >= kPageBytes; }

  void FinishWithToken(const store::SessionPlace& place) {
    response_->set_next_page_token(EncodePageKey(request_, call_->caller().name, Key(place)));
    call_->Finish(absl::OkStatus());
  }

  UnaryCall* const call_;
  const v1::ListSessionsRequest& request_;
  v1::ListSessionsResponse* const response_;
  const int size_;
  store::SessionQuery query_;
  int reads_ = 0;
  size_t bytes_ = 0;
};

}  // namespace

void Describe(const store::SessionRecord& record, v1::KnownSession* known) {
  *known->mutable_session() = record.session;
  known->mutable_session()->clear_order_items();
  known->mutable_session()->clear_merchant_data();
  known->set_merchant_id(record.merchant_id);
  known->set_request_id(record.request_id);
  known->set_location_id(record.location_id);
  *known->mutable_created_at() = ToTimestamp(record.created_at);
  *known->mutable_updated_at() = ToTimestamp(record.updated_at);
  known->set_complete(record.complete);
  known->set_trimmed(record.trimmed);
  if (record.missing_since != absl::InfiniteFuture()) {
    *known->mutable_missing_since() = ToTimestamp(record.missing_since);
  }
}

void ListSessionsWork(UnaryCall* call, const v1::ListSessionsRequest& request,
                      v1::ListSessionsResponse* response) {
  absl::StatusOr<std::vector<std::string>> merchants = auth::NarrowMerchants(
      call->caller(), {request.merchant_ids().begin(), request.merchant_ids().end()});
  if (!merchants.ok()) return call->Finish(merchants.status());
  const absl::StatusOr<std::string> key = DecodePageKey(request, call->caller().name);
  if (!key.ok()) return call->Finish(key.status());
  store::SessionQuery query = QueryOf(request);
  query.merchant_ids = *std::move(merchants);
  if (!key->empty()) query.after = PlaceIn(*key);
  std::make_shared<SessionList>(call, request, response, std::move(query))->Read();
}

}  // namespace ipp::rpc
