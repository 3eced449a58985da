#include <algorithm>
#include <any>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "kustom/ipp/v1/shared_subscription.grpc.pb.h"
#include "server/base/error.h"
#include "server/base/protobuf_time.h"
#include "server/base/status_macros.h"
#include "server/rpc/receive_stream.h"
#include "server/rpc/services/services.h"
#include "server/rpc/services/shared_parked.h"
#include "server/rpc/services/shared_start.h"
#include "server/rpc/unary_call.h"
#include "server/shared/shared_hub.h"
#include "server/store/store_error.h"

namespace ipp::rpc {
namespace {

namespace v1 = kustom::ipp::v1;
using Context = grpc::CallbackServerContext;
using Reactor = grpc::ServerUnaryReactor;
using shared::SpecPtr;

shared::SharedHub* Hub(UnaryCall* call) { return call->service().backends.shared; }
store::Store* StoreOf(UnaryCall* call) { return call->service().backends.store; }

// ---- Subscriptions. ----

// What a create does when the name is taken.
void FinishWithExisting(UnaryCall* call, const v1::SharedSubscription& asked,
                        const shared::Spec& existing,
                        v1::CreateSharedSubscriptionResponse* response) {
  const std::vector<std::string> differ = shared::Differences(asked, existing.subscription);
  if (!differ.empty()) {
    return call->Finish(MakeError(
        absl::StatusCode::kAlreadyExists,
        absl::StrCat("a shared subscription of this name exists, with another ",
                     absl::StrJoin(differ, ", ")),
        {.reason = "SUBSCRIPTION_EXISTS", .metadata = {{"fields", absl::StrJoin(differ, ",")}}}));
  }
  *response->mutable_subscription() = existing.subscription;
  response->set_existed(true);
  call->Finish(absl::OkStatus());
}

void Make(UnaryCall* call, const v1::SharedSubscription& asked, int64_t position,
          v1::CreateSharedSubscriptionResponse* response) {
  store::SharedRecord record;
  record.id = static_cast<int64_t>(Hub(call)->Random() >> 1 | 1);
  record.caller = call->caller().name;
  record.name = asked.name();
  record.spec = asked.SerializeAsString();
  record.read_position = position;
  const int most = call->service().backends.options.max_shared_subscriptions_per_caller;
  StoreOf(call)->ChangeShared(
      {.work = [record, most](store::SharedTables& tables) -> absl::StatusOr<std::any> {
        IPP_ASSIGN_OR_RETURN(shared::CreateResult made, shared::Create(tables, record, most));
        return std::any(std::move(made));
      }},
      [call, asked, most, response](absl::StatusOr<std::any> result) {
        // Another replica made one of this name at the same time.
        if (absl::IsAlreadyExists(result.status())) {
          return call->Finish(store::ForCallers(absl::UnavailableError("made twice at once")));
        }
        if (!result.ok()) return call->Finish(store::ForCallers(result.status()));
        const auto& made = std::any_cast<const shared::CreateResult&>(*result);
        if (made.too_many) {
          return call->Finish(MakeError(
              absl::StatusCode::kResourceExhausted,
              absl::StrCat("the caller has ", most, " shared subscriptions, which is the limit"),
              {.reason = "TOO_MANY_SUBSCRIPTIONS", .metadata = {{"limit", absl::StrCat(most)}}}));
        }
        const absl::StatusOr<SpecPtr> spec = shared::ReadSpec(made.record);
        if (!spec.ok()) return call->Finish(store::ForCallers(spec.status()));
        if (made.existed) return FinishWithExisting(call, asked, **spec, response);
        *response->mutable_subscription() = (*spec)->subscription;
        call->Finish(absl::OkStatus());
      });
}

void CreateWork(UnaryCall* call, const v1::CreateSharedSubscriptionRequest& request,
                v1::CreateSharedSubscriptionResponse* response) {
  v1::SharedSubscription asked;
  asked.set_name(request.subscription().name());
  *asked.mutable_filter() = request.subscription().filter();
  *asked.mutable_start() = request.subscription().start();
  if (request.subscription().has_lease()) *asked.mutable_lease() = request.subscription().lease();
  asked.set_max_attempts(request.subscription().max_attempts());
  shared::FillIn(&asked);
  const auto& wanted = asked.filter().merchant_ids();
  const absl::StatusOr<std::vector<std::string>> merchants =
      auth::NarrowMerchants(call->caller(), {wanted.begin(), wanted.end()});
  if (!merchants.ok()) return call->Finish(merchants.status());
  const absl::Status filter = events::EventFilter::Create(asked.filter(), *merchants).status();
  if (!filter.ok()) return call->Finish(filter);
  asked.mutable_merchant_ids()->Assign(merchants->begin(), merchants->end());
  Hub(call)->Find(call->caller().name, asked.name(), /*fresh=*/true,
                  [call, asked, response](absl::StatusOr<SpecPtr> existing) {
                    if (existing.ok()) return FinishWithExisting(call, asked, **existing, response);
                    if (!absl::IsNotFound(existing.status())) {
                      return call->Finish(existing.status());
                    }
                    FindStart(StoreOf(call), asked.start(),
                              [call, asked, response](absl::StatusOr<int64_t> position) {
                                if (!position.ok()) return call->Finish(position.status());
                                Make(call, asked, *position, response);
                              });
                  });
}

void DeleteWork(UnaryCall* call, const v1::DeleteSharedSubscriptionRequest& request,
                v1::DeleteSharedSubscriptionResponse* response) {
  const std::string caller = call->caller().name;
  Hub(call)->Find(
      caller, request.name(), /*fresh=*/true,
      [call, caller, name = request.name(), response](absl::StatusOr<SpecPtr> spec) {
        if (absl::IsNotFound(spec.status())) return call->Finish(absl::OkStatus());
        if (!spec.ok()) return call->Finish(spec.status());
        StoreOf(call)->ChangeShared(
            {.id = (*spec)->id,
             .work = [id = (*spec)->id](store::SharedTables& tables) -> absl::StatusOr<std::any> {
               IPP_ASSIGN_OR_RETURN(const auto view, tables.Lock(id));
               if (!view) return std::any(false);
               IPP_RETURN_IF_ERROR(tables.Remove(id));
               return std::any(true);
             }},
            [call, caller, name, id = (*spec)->id, response](absl::StatusOr<std::any> existed) {
              if (!existed.ok()) return call->Finish(store::ForCallers(existed.status()));
              Hub(call)->Forget(caller, name);
              Hub(call)->Wake(id);  // its streams end
              response->set_existed(std::any_cast<bool>(*existed));
              call->Finish(absl::OkStatus());
            });
      });
}

// ---- Counts. ----

struct Counted {
  store::SharedRecord record;
  store::SharedCounts counts;
};

void Describe(const Counted& counted, const shared::Spec& spec, const store::LogBounds& bounds,
              v1::SharedSubscription* out) {
  const store::SharedCounts& counts = counted.counts;
  *out = spec.subscription;
  *out->mutable_last_used_at() = ToTimestamp(counts.last_used_at);
  v1::SharedSubscriptionCounts* shown = out->mutable_counts();
  shown->set_backlog(std::max<int64_t>(0, bounds.latest - counts.read_position));
  shown->set_out(counts.out);
  shown->set_held(counts.held);
  shown->set_parked(counts.parked);
  const absl::Time oldest = std::min(counts.oldest, counts.unread_at);
  if (oldest != absl::InfiniteFuture()) {
    *shown->mutable_oldest_unsettled_at() = ToTimestamp(oldest);
  }
  shown->set_expired(counts.read_position + 1 < bounds.oldest ||
                     (counts.oldest_position != 0 && counts.oldest_position < bounds.oldest));
}

// Reads the caller's subscriptions, or the one of that name, with their counts. `then` gets them by
// name.
template <typename Then>
void ReadCounts(UnaryCall* call, const std::string& name, Then then) {
  const absl::Time now = StoreOf(call)->Now();
  StoreOf(call)->ReadShared(
      [caller = call->caller().name, name,
       now](store::SharedReads& reads) -> absl::StatusOr<std::any> {
        IPP_ASSIGN_OR_RETURN(const std::vector<store::SharedRecord> records, reads.List(&caller));
        std::vector<Counted> counted;
        for (const store::SharedRecord& record : records) {
          if (!name.empty() && record.name != name) continue;
          IPP_ASSIGN_OR_RETURN(const auto counts, reads.Count(record.id, now));
          if (counts) counted.push_back({record, *counts});
        }
        return std::any(std::move(counted));
      },
      [call, then = std::move(then)](absl::StatusOr<std::any> read) mutable {
        if (!read.ok()) return call->Finish(store::ForCallers(read.status()));
        StoreOf(call)->RefreshBounds([call, read = *std::move(read), then = std::move(then)](
                                         absl::StatusOr<store::LogBounds> bounds) mutable {
          if (!bounds.ok()) return call->Finish(store::ForCallers(bounds.status()));
          std::vector<v1::SharedSubscription> shown;
          for (const Counted& counted : std::any_cast<const std::vector<Counted>&>(read)) {
            const absl::StatusOr<SpecPtr> spec = shared::ReadSpec(counted.record);
            if (!spec.ok()) return call->Finish(store::ForCallers(spec.status()));
            Describe(counted, **spec, *bounds, &shown.emplace_back());
          }
          std::move(then)(std::move(shown));
        });
      });
}

void GetWork(UnaryCall* call, const v1::GetSharedSubscriptionRequest& request,
             v1::GetSharedSubscriptionResponse* response) {
  ReadCounts(call, request.name(), [call, response](std::vector<v1::SharedSubscription> found) {
    if (found.empty()) return call->Finish(shared::NoSuchSubscription());
    *response->mutable_subscription() = std::move(found.front());
    call->Finish(absl::OkStatus());
  });
}

void ListWork(UnaryCall* call, const v1::ListSharedSubscriptionsRequest&,
              v1::ListSharedSubscriptionsResponse* response) {
  ReadCounts(call, "", [call, response](std::vector<v1::SharedSubscription> found) {
    for (v1::SharedSubscription& one : found) *response->add_subscriptions() = std::move(one);
    call->Finish(absl::OkStatus());
  });
}

// ---- Settlements. ----

shared::Settlement FromRequest(const v1::Settlement& asked) {
  using shared::Action;
  shared::Settlement settlement;
  switch (asked.action_case()) {
    case v1::Settlement::kRetry:
      settlement.action = Action::kRetry;
      if (asked.retry().has_delay()) settlement.delay = FromDuration(asked.retry().delay());
      settlement.reason = asked.retry().reason();
      break;
    case v1::Settlement::kPark:
      settlement.action = Action::kPark;
      settlement.reason = asked.park().reason();
      break;
    case v1::Settlement::kExtend:
      settlement.action = Action::kExtend;
      settlement.extend_by = FromDuration(asked.extend().by());
      break;
    case v1::Settlement::kRelease:
      settlement.action = Action::kRelease;
      break;
    case v1::Settlement::kAcknowledge:
    case v1::Settlement::ACTION_NOT_SET:  // refused by Validate
      break;
  }
  return settlement;
}

static_assert(static_cast<int>(shared::Outcome::kSettled) == v1::SETTLEMENT_OUTCOME_SETTLED);
static_assert(static_cast<int>(shared::Outcome::kExtended) == v1::SETTLEMENT_OUTCOME_EXTENDED);
static_assert(static_cast<int>(shared::Outcome::kAlreadySettled) ==
              v1::SETTLEMENT_OUTCOME_ALREADY_SETTLED);
static_assert(static_cast<int>(shared::Outcome::kLeaseLost) == v1::SETTLEMENT_OUTCOME_LEASE_LOST);

void SettleWork(UnaryCall* call, const v1::SettleSessionEventsRequest& request,
                v1::SettleSessionEventsResponse* response) {
  std::vector<std::pair<shared::LeaseToken, shared::Settlement>> settlements;
  for (const v1::Settlement& asked : request.settlements()) {
    settlements.emplace_back(*shared::DecodeLease(asked.lease()), FromRequest(asked));
  }
  Hub(call)->Settle(call->caller().name, request.subscription(), std::move(settlements),
                    [call, response](absl::StatusOr<std::vector<shared::Settled>> settled) {
                      if (!settled.ok()) return call->Finish(settled.status());
                      for (const shared::Settled& one : *settled) {
                        v1::SettlementResult* result = response->add_results();
                        result->set_outcome(static_cast<v1::SettlementOutcome>(one.outcome));
                        if (one.outcome == shared::Outcome::kExtended) {
                          *result->mutable_expires_at() = ToTimestamp(one.expires_at);
                        }
                      }
                      call->Finish(absl::OkStatus());
                    });
}

using RawReceive = v1::SharedSubscriptionService::WithRawCallbackMethod_ReceiveSessionEvents<
    v1::SharedSubscriptionService::CallbackService>;

class SharedServiceImpl final : public RawReceive {
 public:
  SharedServiceImpl(const ServiceContext* service, events::StreamRegistry* streams)
      : service_(*service), streams_(streams) {}

  Reactor* CreateSharedSubscription(Context* context,
                                    const v1::CreateSharedSubscriptionRequest* request,
                                    v1::CreateSharedSubscriptionResponse* response) override {
    return Serve(service_, context, request, response, &CreateWork);
  }
  Reactor* GetSharedSubscription(Context* context, const v1::GetSharedSubscriptionRequest* request,
                                 v1::GetSharedSubscriptionResponse* response) override {
    return Serve(service_, context, request, response, &GetWork);
  }
  Reactor* ListSharedSubscriptions(Context* context,
                                   const v1::ListSharedSubscriptionsRequest* request,
                                   v1::ListSharedSubscriptionsResponse* response) override {
    return Serve(service_, context, request, response, &ListWork);
  }
  Reactor* DeleteSharedSubscription(Context* context,
                                    const v1::DeleteSharedSubscriptionRequest* request,
                                    v1::DeleteSharedSubscriptionResponse* response) override {
    return Serve(service_, context, request, response, &DeleteWork);
  }
  grpc::ServerWriteReactor<grpc::ByteBuffer>* ReceiveSessionEvents(
      Context* context, const grpc::ByteBuffer* request) override {
    return StartReceiveStream(service_, streams_, context, request);
  }
  Reactor* SettleSessionEvents(Context* context, const v1::SettleSessionEventsRequest* request,
                               v1::SettleSessionEventsResponse* response) override {
    return Serve(service_, context, request, response, &SettleWork);
  }
  Reactor* ListParkedSessionEvents(Context* context,
                                   const v1::ListParkedSessionEventsRequest* request,
                                   v1::ListParkedSessionEventsResponse* response) override {
    return Serve(service_, context, request, response, &ListParkedWork);
  }
  Reactor* RedriveSessionEvents(Context* context, const v1::RedriveSessionEventsRequest* request,
                                v1::RedriveSessionEventsResponse* response) override {
    return Serve(service_, context, request, response, &RedriveWork);
  }
  Reactor* DeleteParkedSessionEvents(Context* context,
                                     const v1::DeleteParkedSessionEventsRequest* request,
                                     v1::DeleteParkedSessionEventsResponse* response) override {
    return Serve(service_, context, request, response, &DeleteParkedWork);
  }

 private:
  const ServiceContext& service_;
  events::StreamRegistry* const streams_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewSharedSubscriptionService(const ServiceContext* service,
                                                            events::StreamRegistry* streams) {
  return std::make_unique<SharedServiceImpl>(service, streams);
}

}  // namespace ipp::rpc
