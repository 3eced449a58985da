#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "kustom/ipp/v1/outcome.grpc.pb.h"
#include "server/base/error.h"
#include "server/rpc/page_token.h"
#include "server/rpc/services/create_outcome.h"
#include "server/rpc/services/services.h"
#include "server/rpc/unary_call.h"
#include "server/store/store_error.h"

namespace ipp::rpc {
namespace {

namespace v1 = kustom::ipp::v1;
using Context = grpc::CallbackServerContext;
using Reactor = grpc::ServerUnaryReactor;
using store::IntentRecord;
using store::IntentState;

constexpr int kDefaultPageSize = 100;

// The ledger has no record: it may have been lost when a backup was restored. A session with this
// request_id answers the question as well.
void GetBySession(UnaryCall* call, v1::GetCreateOutcomeResponse* response) {
  const std::string merchant_id = call->merchant_id();
  call->service().backends.store->FindSessionByRequest(
      merchant_id, call->request_id(),
      [call, response](absl::StatusOr<store::SessionRecord> record) {
        if (absl::IsNotFound(record.status())) {
          creates::RestoreHold* const hold = call->service().backends.restore_hold;
          const absl::Status held = hold == nullptr ? absl::OkStatus() : hold->Unanswerable();
          if (!held.ok()) return call->Finish(held);
          return call->Finish(MakeError(absl::StatusCode::kNotFound,
                                        "the gateway knows no create with this request_id",
                                        {.reason = "CREATE_NOT_FOUND"}));
        }
        if (!record.ok()) return call->Finish(store::ForCallers(record.status()));
        IntentRecord known;
        known.request_id = record->request_id;
        known.merchant_id = record->merchant_id;
        known.rpc = "CreateSession";
        known.trace = record->trace;
        known.state = IntentState::kExecuted;
        known.session_id = record->session.session_id();
        known.created_at = record->created_at;
        known.updated_at = record->updated_at;
        Describe(known, response->mutable_outcome());
        call->Finish(absl::OkStatus());
      });
}

void GetWork(UnaryCall* call, const v1::GetCreateOutcomeRequest& request,
             v1::GetCreateOutcomeResponse* response) {
  const auto context = call->Upstream();
  if (!context) return;
  call->service().backends.store->FindIntent(
      context->merchant_id, request.request_id(),
      [call, response](absl::StatusOr<IntentRecord> intent) {
        if (absl::IsNotFound(intent.status())) return GetBySession(call, response);
        if (!intent.ok()) return call->Finish(store::ForCallers(intent.status()));
        Describe(*intent, response->mutable_outcome());
        call->Finish(absl::OkStatus());
      });
}

void ListWork(UnaryCall* call, const v1::ListCreateOutcomesRequest& request,
              v1::ListCreateOutcomesResponse* response) {
  absl::StatusOr<std::vector<std::string>> merchants = auth::NarrowMerchants(
      call->caller(), {request.merchant_ids().begin(), request.merchant_ids().end()});
  if (!merchants.ok()) return call->Finish(merchants.status());
  const absl::StatusOr<int64_t> before =
      DecodePageToken(request, call->caller().name, std::numeric_limits<int64_t>::max());
  if (!before.ok()) return call->Finish(before.status());
  const int size = request.page_size() == 0 ? kDefaultPageSize : request.page_size();
  store::IntentQuery query{.merchant_ids = *std::move(merchants),
                           .states = {},
                           .before_id = *before,
                           .limit = size + 1};  // one more, to see if there is a next page
  for (const int state : request.states()) {
    query.states.push_back(static_cast<IntentState>(state));
  }
  call->service().backends.store->ListIntents(
      std::move(query),
      [call, &request, response, size](absl::StatusOr<std::vector<IntentRecord>> intents) {
        if (!intents.ok()) return call->Finish(store::ForCallers(intents.status()));
        const bool more = static_cast<int>(intents->size()) > size;
        if (more) intents->resize(size);
        for (const IntentRecord& intent : *intents) Describe(intent, response->add_outcomes());
        if (more) {
          response->set_next_page_token(
              EncodePageToken(request, call->caller().name, intents->back().id));
        }
        call->Finish(absl::OkStatus());
      });
}

class OutcomeServiceImpl final : public v1::OutcomeService::CallbackService {
 public:
  explicit OutcomeServiceImpl(const ServiceContext* service) : service_(*service) {}

  Reactor* GetCreateOutcome(Context* context, const v1::GetCreateOutcomeRequest* request,
                            v1::GetCreateOutcomeResponse* response) override {
    return Serve(service_, context, request, response, &GetWork);
  }
  Reactor* ListCreateOutcomes(Context* context, const v1::ListCreateOutcomesRequest* request,
                              v1::ListCreateOutcomesResponse* response) override {
    return Serve(service_, context, request, response, &ListWork);
  }

 private:
  const ServiceContext& service_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewOutcomeService(const ServiceContext* service) {
  return std::make_unique<OutcomeServiceImpl>(service);
}

}  // namespace ipp::rpc
