#include "server/rpc/services/shared_parked.h"

#include <algorithm>
#include <any>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "server/base/protobuf_time.h"
#include "server/base/status_macros.h"
#include "server/base/stored_message.h"
#include "server/rpc/page_token.h"
#include "server/shared/shared_hub.h"
#include "server/store/store_error.h"

namespace ipp::rpc {
namespace {

namespace v1 = kustom::ipp::v1;
using shared::Found;
using shared::SpecPtr;

constexpr int kDefaultParkedPage = 100;
constexpr size_t kPageBytes = size_t{1} << 20;

shared::SharedHub* Hub(UnaryCall* call) { return call->service().backends.shared; }
store::Store* StoreOf(UnaryCall* call) { return call->service().backends.store; }

// Runs `work` for the caller's subscription `name`; `then` gets its result. `work` gets the tables
// and the target.
template <typename Result, typename Work, typename Then>
void Change(UnaryCall* call, const std::string& name, Work work, Then then) {
  Hub(call)->Find(
      call->caller().name, name, /*fresh=*/true,
      [call, work = std::move(work), then = std::move(then)](absl::StatusOr<SpecPtr> spec) mutable {
        if (!spec.ok()) return call->Finish(spec.status());
        const shared::Target target = (*spec)->target(Hub(call)->Random());
        StoreOf(call)->ChangeShared(
            {.id = target.id,
             .work = [target, work = std::move(work)](
                         store::SharedTables& tables) -> absl::StatusOr<std::any> {
               absl::StatusOr<Result> result = work(tables, target);
               if (!result.ok()) return result.status();
               return std::any(*std::move(result));
             }},
            [call, id = target.id,
             then = std::move(then)](absl::StatusOr<std::any> result) mutable {
              if (!result.ok()) return call->Finish(store::ForCallers(result.status()));
              auto& done = std::any_cast<Result&>(*result);
              if (done.found == Found::kNo) return call->Finish(shared::NoSuchSubscription());
              Hub(call)->Wake(id);
              std::move(then)(done);
            });
      });
}

void DescribeParked(const store::SharedParked& parked, v1::ParkedSessionEvent* out) {
  *out->mutable_event() = FromStored<v1::SessionEvent>(parked.event.payload);
  out->set_attempts(parked.attempts);
  *out->mutable_first_delivered_at() = ToTimestamp(parked.first_at);
  *out->mutable_parked_at() = ToTimestamp(parked.parked_at);
  out->set_reason(parked.reason);
  out->set_consumer(parked.consumer);
}

void FinishParkedPage(UnaryCall* call, const v1::ListParkedSessionEventsRequest& request,
                      const std::vector<store::SharedParked>& rows, size_t size,
                      v1::ListParkedSessionEventsResponse* response) {
  size_t bytes = 0;
  size_t taken = 0;
  while (taken < rows.size() && taken < size && bytes < kPageBytes) {
    bytes += rows[taken].event.payload.size();
    DescribeParked(rows[taken++], response->add_events());
  }
  if (taken < rows.size()) {
    response->set_next_page_token(
        EncodePageToken(request, call->caller().name, rows[taken - 1].event.position));
  }
  call->Finish(absl::OkStatus());
}

template <typename Request>
shared::ParkedChoice ChoiceOf(const Request& request) {
  return {.event_ids = {request.event_ids().begin(), request.event_ids().end()}};
}

}  // namespace

void ListParkedWork(UnaryCall* call, const v1::ListParkedSessionEventsRequest& request,
                    v1::ListParkedSessionEventsResponse* response) {
  const absl::StatusOr<int64_t> after =
      DecodePageToken(request, call->caller().name, std::numeric_limits<int64_t>::max());
  if (!after.ok()) return call->Finish(after.status());
  const int asked = request.page_size() == 0 ? kDefaultParkedPage : request.page_size();
  // Events may be large: no more are read than a page of that many can hold.
  const int size = std::min(asked, kDefaultParkedPage);
  Hub(call)->Find(
      call->caller().name, request.subscription(), /*fresh=*/true,
      [call, &request, response, after = *after, size](absl::StatusOr<SpecPtr> spec) {
        if (!spec.ok()) return call->Finish(spec.status());
        StoreOf(call)->ReadShared(
            [id = (*spec)->id, after, size](store::SharedReads& reads) -> absl::StatusOr<std::any> {
              IPP_ASSIGN_OR_RETURN(std::vector<store::SharedParked> rows,
                                   reads.ListParked(id, after, size + 1));
              return std::any(std::move(rows));
            },
            [call, &request, response, size](absl::StatusOr<std::any> rows) {
              if (!rows.ok()) return call->Finish(store::ForCallers(rows.status()));
              FinishParkedPage(call, request,
                               std::any_cast<const std::vector<store::SharedParked>&>(*rows),
                               static_cast<size_t>(size), response);
            });
      });
}

void RedriveWork(UnaryCall* call, const v1::RedriveSessionEventsRequest& request,
                 v1::RedriveSessionEventsResponse* response) {
  Change<shared::ParkedResult>(
      call, request.subscription(),
      [choice = ChoiceOf(request)](store::SharedTables& tables, const shared::Target& target) {
        return shared::Redrive(tables, target, choice);
      },
      [call, &request, response](const shared::ParkedResult& result) {
        response->set_redriven(response->redriven() + result.count);
        if (request.all() && result.more) return RedriveWork(call, request, response);
        call->Finish(absl::OkStatus());
      });
}

void DeleteParkedWork(UnaryCall* call, const v1::DeleteParkedSessionEventsRequest& request,
                      v1::DeleteParkedSessionEventsResponse* response) {
  Change<shared::ParkedResult>(
      call, request.subscription(),
      [choice = ChoiceOf(request)](store::SharedTables& tables, const shared::Target& target) {
        return shared::DeleteParked(tables, target.id, choice);
      },
      [call, &request, response](const shared::ParkedResult& result) {
        response->set_deleted(response->deleted() + result.count);
        if (request.all() && result.more) return DeleteParkedWork(call, request, response);
        call->Finish(absl::OkStatus());
      });
}

}  // namespace ipp::rpc
