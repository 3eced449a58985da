#include "tests/faults/asked_again.h"

#include <chrono>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "ippclient/error.h"
#include "kustom/ipp/v1/outcome.grpc.pb.h"
#include "kustom/ipp/v1/session.grpc.pb.h"
#include "kustom/ipp/v1/session_event.grpc.pb.h"
#include "server/base/status_macros.h"
#include "tests/faults/fresh_channel.h"
#include "tests/faults/letter_case.h"
#include "tests/faults/plan.h"
#include "tests/faults/traffic_worker.h"

namespace ipp::faults {
namespace {

namespace v1 = kustom::ipp::v1;

constexpr size_t kSample = 60;
constexpr absl::Duration kLimit = absl::Seconds(30);
constexpr size_t kMostWrong = 5;

template <typename T>
std::vector<T> Sample(std::vector<T> all, std::mt19937_64* random) {
  std::vector<T> some;
  while (!all.empty() && some.size() < kSample) {
    std::swap(all[Draw(random, all.size())], all.back());
    some.push_back(std::move(all.back()));
    all.pop_back();
  }
  return some;
}

class Again {
 public:
  Again(const std::string& gateway, const History& history, std::mt19937_64* random,
        std::vector<std::string>* wrong)
      : gateway_(gateway), history_(history), random_(random), wrong_(wrong) {
    const auto channel = FreshChannel(gateway);
    sessions_ = v1::SessionService::NewStub(channel);
    outcomes_ = v1::OutcomeService::NewStub(channel);
    events_ = v1::SessionEventService::NewStub(channel);
  }

  void Ask(const MerchantKey& merchant, const CreateCall& create) {
    AskToCreate(merchant, create);
    AskForOutcome(create);
    AskForEvents(create);
  }

 private:
  void Wrong(const CreateCall& create, const std::string& what) {
    wrong_->push_back(absl::StrCat("asked again at ", gateway_, ", the create of ",
                                   create.reference, " (", create.request_id, "): ", what));
  }

  bool Failed(const CreateCall& create, const char* call, const grpc::Status& status) {
    if (status.ok()) return false;
    const client::Error error = client::DecodeError(status);
    Wrong(create, absl::StrCat(call, ": ", client::CodeName(error.code), " ", error.reason, " ",
                               error.message));
    return true;
  }

  static void Prepare(const CreateCall& create, grpc::ClientContext* context) {
    context->AddMetadata("x-merchant-id", create.merchant_id);
    context->set_deadline(absl::ToChronoTime(absl::Now() + kLimit));
  }

  void AskToCreate(const MerchantKey& merchant, const CreateCall& create) {
    v1::CreateSessionRequest request = OrderOf(merchant, create.reference);
    request.set_request_id(Respell(create.request_id, random_));
    request.set_device_id(Respell(request.device_id(), random_));
    v1::CreateSessionResponse response;
    grpc::ClientContext context;
    Prepare(create, &context);
    if (Failed(create, "CreateSession", sessions_->CreateSession(&context, request, &response))) {
      return;
    }
    if (!response.replayed() || response.session().session_id() != create.session_id) {
      Wrong(create, absl::StrCat("session ", response.session().session_id(), ", replayed ",
                                 response.replayed(), "; it made ", create.session_id));
    }
  }

  void AskForOutcome(const CreateCall& create) {
    v1::GetCreateOutcomeRequest request;
    request.set_request_id(Respell(create.request_id, random_));
    v1::GetCreateOutcomeResponse response;
    grpc::ClientContext context;
    Prepare(create, &context);
    if (Failed(create, "GetCreateOutcome",
               outcomes_->GetCreateOutcome(&context, request, &response))) {
      return;
    }
    if (response.outcome().state() != v1::CREATE_STATE_EXECUTED ||
        response.outcome().session_id() != create.session_id) {
      Wrong(create, absl::StrCat("its outcome is ", response.outcome().ShortDebugString()));
    }
  }

  void AskForEvents(const CreateCall& create) {
    v1::ListSessionEventsRequest request;
    request.mutable_filter()->add_session_ids(Respell(create.session_id, random_));
    std::vector<std::string> listed;
    // A page may be empty before the last one: a call looks at so many events of the log at most.
    do {
      v1::ListSessionEventsResponse response;
      grpc::ClientContext context;
      Prepare(create, &context);
      if (Failed(create, "ListSessionEvents",
                 events_->ListSessionEvents(&context, request, &response))) {
        return;
      }
      for (const v1::SessionEvent& event : response.events()) {
        listed.push_back(event.SerializeAsString());
      }
      request.set_page_token(response.next_page_token());
    } while (!request.page_token().empty());
    std::vector<std::string> seen;
    for (const SeenEventPtr& each : history_.observers.front().events) {
      if (each->event.session_id() == create.session_id) seen.push_back(each->bytes);
    }
    if (listed != seen) {
      Wrong(create, absl::StrCat("its session's events, listed by id: ", listed.size(),
                                 ", seen: ", seen.size()));
    }
  }

  const std::string gateway_;
  const History& history_;
  std::mt19937_64* const random_;
  std::vector<std::string>* const wrong_;
  std::unique_ptr<v1::SessionService::Stub> sessions_;
  std::unique_ptr<v1::OutcomeService::Stub> outcomes_;
  std::unique_ptr<v1::SessionEventService::Stub> events_;
};

}  // namespace

std::vector<std::string> AskAgain(const std::vector<std::string>& gateways,
                                  const std::vector<MerchantKey>& merchants, const History& history,
                                  std::mt19937_64* random) {
  std::map<std::string, const MerchantKey*> by_id;
  for (const MerchantKey& merchant : merchants) by_id[merchant.id] = &merchant;
  std::vector<CreateCall> answered;
  for (const CreateCall& create : history.ledger.creates) {
    if (!create.session_id.empty() && create.recorded) answered.push_back(create);
  }
  std::vector<std::string> wrong;
  for (const std::string& gateway : gateways) {
    Again again(gateway, history, random, &wrong);
    for (const CreateCall& create : Sample(answered, random)) {
      // Each wrong answer may have taken as long as kLimit.
      if (wrong.size() >= kMostWrong) return wrong;
      again.Ask(*by_id.at(create.merchant_id), create);
    }
  }
  return wrong;
}

absl::Status ResendTaken(SimulatorControl* simulator, const Truth& truth, std::mt19937_64* random) {
  std::vector<std::string> taken;
  for (const SentWebhook& webhook : truth.webhooks) {
    if (webhook.taken) taken.push_back(webhook.event_id);
  }
  for (const std::string& event_id : Sample(std::move(taken), random)) {
    IPP_RETURN_IF_ERROR(simulator->Resend(event_id));
  }
  const absl::Time end = absl::Now() + kLimit;
  while (true) {
    IPP_ASSIGN_OR_RETURN(const int undelivered, simulator->Undelivered());
    if (undelivered == 0) return absl::OkStatus();
    if (absl::Now() > end) {
      return absl::DeadlineExceededError("webhooks that were sent again are not taken");
    }
    absl::SleepFor(absl::Milliseconds(10));
  }
}

}  // namespace ipp::faults
