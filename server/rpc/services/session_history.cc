#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/base/error.h"
#include "server/base/protobuf_time.h"
#include "server/rpc/services/create_outcome.h"
#include "server/rpc/services/session_list.h"
#include "server/store/store_error.h"

namespace ipp::rpc {
namespace {

namespace v1 = kustom::ipp::v1;
using store::IntentRecord;
using store::IntentState;
using store::SessionRecord;

constexpr int kReadEvents = 256;
// The limits of an answer, as the contract states them.
constexpr int kMaxEvents = 1000;
constexpr int kMaxCancels = 1000;
constexpr size_t kMaxBytes = 2 << 20;

// One GetSessionHistory call: the session, its create, its events, its cancels, one read after
// another; then the entries in their order.
class History : public std::enable_shared_from_this<History> {
 public:
  History(UnaryCall* call, std::string merchant_id, v1::GetSessionHistoryResponse* response)
      : call_(call), merchant_id_(std::move(merchant_id)), response_(response) {}

  void BySession(const std::string& session_id) {
    store()->FindSession(merchant_id_, session_id,
                         [self = shared_from_this()](absl::StatusOr<SessionRecord> record) {
                           if (absl::IsNotFound(record.status())) return self->NotFound();
                           if (self->Failed(record.status())) return;
                           self->TakeSession(*record);
                           self->FindCreate(record->request_id);
                         });
  }

  void ByRequest(const std::string& request_id) {
    store()->FindSessionByRequest(
        merchant_id_, request_id,
        [self = shared_from_this(), request_id](absl::StatusOr<SessionRecord> record) {
          if (!absl::IsNotFound(record.status()) && self->Failed(record.status())) return;
          if (record.ok()) self->TakeSession(*record);
          self->FindCreate(request_id);
        });
  }

 private:
  store::Store* store() { return call_->service().backends.store; }

  // Finishes the call with the error, if there is one.
  bool Failed(const absl::Status& status) {
    if (!status.ok()) call_->Finish(store::ForCallers(status));
    return !status.ok();
  }

  void NotFound() {
    creates::RestoreHold* const hold = call_->service().backends.restore_hold;
    const absl::Status held = hold == nullptr ? absl::OkStatus() : hold->Unanswerable();
    if (!held.ok()) return call_->Finish(held);
    call_->Finish(MakeError(absl::StatusCode::kNotFound,
                            "the gateway has seen neither such a session nor such a create",
                            {.reason = "SESSION_NOT_FOUND"}));
  }

  void TakeSession(const SessionRecord& record) {
    session_id_ = record.session.session_id();
    created_at_ = record.created_at;
    Describe(record, response_->mutable_session());
  }

  void FindCreate(const std::string& request_id) {
    if (request_id.empty()) return FindOldest();
    store()->FindIntent(
        merchant_id_, request_id, [self = shared_from_this()](absl::StatusOr<IntentRecord> intent) {
          if (absl::IsNotFound(intent.status())) {
            return self->session_id_.empty() ? self->NotFound() : self->FindOldest();
          }
          if (self->Failed(intent.status())) return;
          self->TakeCreate(*intent);
          self->FindOldest();
        });
  }

  void TakeCreate(const IntentRecord& intent) {
    Describe(intent, response_->mutable_create());
    Add(intent.created_at, 0).mutable_create_asked()->CopyFrom(response_->create());
    if (intent.state == IntentState::kUnderWay) return;
    Add(intent.updated_at, 3).mutable_create_ended()->CopyFrom(response_->create());
  }

  // Whether the log still reaches back to the session's beginning.
  void FindOldest() {
    const int64_t oldest = store()->bounds().oldest;
    if (session_id_.empty()) return Finish();
    if (oldest <= 1) return ReadEvents(0);
    store()->ReadEvents(
        oldest - 1, 1,
        [self = shared_from_this()](absl::StatusOr<std::vector<store::StoredEvent>> rows) {
          if (self->Failed(rows.status())) return;
          self->response_->set_older_events_gone(rows->empty() ||
                                                 self->created_at_ < rows->front().recorded_at);
          self->ReadEvents(0);
        });
  }

  void ReadEvents(int64_t after) {
    store()->ReadSessionEvents(
        merchant_id_, session_id_, after, kReadEvents,
        [self = shared_from_this()](absl::StatusOr<std::vector<store::StoredEvent>> rows) {
          if (self->Failed(rows.status())) return;
          if (rows->empty() || !self->TakeEvents(*rows)) return self->ReadCancels();
          self->ReadEvents(rows->back().position);
        });
  }

  // False when the answer is full.
  bool TakeEvents(const std::vector<store::StoredEvent>& rows) {
    for (const store::StoredEvent& row : rows) {
      v1::SessionEvent event;
      if (!event.ParseFromString(row.payload)) continue;
      event.mutable_session()->clear_order_items();
      event.mutable_session()->clear_merchant_data();
      bytes_ += event.ByteSizeLong();
      if (++events_ > kMaxEvents || bytes_ > kMaxBytes) {
        response_->set_truncated(true);
        return false;
      }
      Add(row.recorded_at, 1).mutable_event()->Swap(&event);
    }
    return true;
  }

  void ReadCancels() {
    store()->ListCancels(
        merchant_id_, session_id_, kMaxCancels + 1,
        [self = shared_from_this()](absl::StatusOr<std::vector<store::AskedCancel>> cancels) {
          if (self->Failed(cancels.status())) return;
          if (cancels->size() > kMaxCancels) {
            self->response_->set_truncated(true);
            cancels->resize(kMaxCancels);
          }
          for (const store::AskedCancel& cancel : *cancels) self->TakeCancel(cancel);
          self->Finish();
        });
  }

  void TakeCancel(const store::AskedCancel& cancel) {
    v1::AskedCancel* const asked = Add(cancel.asked_at, 2).mutable_cancel_asked();
    asked->set_caller(cancel.caller);
    asked->set_traceparent(cancel.traceparent);
    *asked->mutable_asked_at() = ToTimestamp(cancel.asked_at);
  }

  // `rank` orders entries of one time: what was asked for comes before what it led to.
  v1::SessionHistoryEntry& Add(absl::Time at, int rank) {
    entries_.push_back({at, rank, {}});
    *entries_.back().entry.mutable_at() = ToTimestamp(at);
    return entries_.back().entry;
  }

  void Finish() {
    // Stable: events of one time keep the order of the log.
    std::stable_sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
      return a.at != b.at ? a.at < b.at : a.rank < b.rank;
    });
    for (Entry& entry : entries_) response_->add_entries()->Swap(&entry.entry);
    call_->Finish(absl::OkStatus());
  }

  struct Entry {
    absl::Time at;
    int rank;
    v1::SessionHistoryEntry entry;
  };

  UnaryCall* const call_;
  const std::string merchant_id_;
  v1::GetSessionHistoryResponse* const response_;
  std::string session_id_;  // empty: only the create is known
  absl::Time created_at_;
  std::vector<Entry> entries_;
  int events_ = 0;
  size_t bytes_ = 0;
};

}  // namespace

void GetSessionHistoryWork(UnaryCall* call, const v1::GetSessionHistoryRequest& request,
                           v1::GetSessionHistoryResponse* response) {
  const auto context = call->Upstream();
  if (!context) return;
  const auto history = std::make_shared<History>(call, context->merchant_id, response);
  request.target_case() == v1::GetSessionHistoryRequest::kSessionId
      ? history->BySession(request.session_id())
      : history->ByRequest(request.request_id());
}

}  // namespace ipp::rpc
