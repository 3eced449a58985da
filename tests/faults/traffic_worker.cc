#include "tests/faults/traffic_worker.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "ippclient/error.h"
#include "tests/faults/fresh_channel.h"
#include "tests/faults/letter_case.h"
#include "tests/faults/steps.h"

namespace ipp::faults {
namespace {

namespace v1 = kustom::ipp::v1;

// A card is declined for one of these.
constexpr const char* kDeclines[] = {"LOST_CARD", "INSUFFICIENT_FUNDS", "DECLINED_GENERIC"};

}  // namespace

v1::CreateSessionRequest OrderOf(const MerchantKey& merchant, const std::string& reference) {
  v1::CreateSessionRequest request;
  request.set_device_id(merchant.device_id);
  request.set_order_amount(25000);
  request.set_purchase_currency("SEK");
  request.set_merchant_reference1(reference);
  v1::OrderItem* item = request.add_order_items();
  item->set_name("Coffee");
  item->set_quantity(2);
  item->set_unit_price(12500);
  item->set_total_amount(25000);
  return request;
}

TrafficWorker::TrafficWorker(const SimulatorProcess& simulator,
                             const std::vector<std::string>& gateways, Watches* watches,
                             TrafficNotes* notes, uint64_t seed)
    : merchants_(simulator.merchants()),
      watches_(watches),
      notes_(notes),
      random_(seed),
      simulator_(simulator.port()) {
  for (const MerchantKey& merchant : merchants_) {
    auto& connections = connections_.emplace_back();
    auto& stubs = stubs_.emplace_back();
    for (const std::string& gateway : gateways) {
      client::ConnectionOptions options;
      options.address = gateway;
      options.merchant_id = merchant.id;
      options.timeout = absl::Seconds(60);  // a gateway is away for a while
      options.max_connect_backoff = absl::Milliseconds(200);
      auto connection = client::Connection::Create(options);
      if (!connection.ok()) std::abort();
      stubs.push_back(v1::SessionService::NewStub((*connection)->channel()));
      connections.push_back(*std::move(connection));
    }
  }
}

void TrafficWorker::Live(const NamedPlan& named) {
  const Plan& plan = named.plan;
  const MerchantKey& merchant = merchants_[static_cast<size_t>(plan.merchant)];
  int left = plan.actions();
  const std::string session_id = Create(named);
  notes_->Did(1);
  --left;
  if (!session_id.empty()) {
    if (plan.watch == WatchBy::kSession) {
      notes_->NoteAsked(session_id);
      watches_->WatchSession(merchant.id, session_id, Respell(session_id, &random_));
    }
    if (plan.stays_open) notes_->NoteStaysOpen(session_id);
    for (const PlanStep step : plan.steps) {
      if (!Take(step, merchant, session_id)) break;
      notes_->Did(1);
      --left;
    }
  }
  notes_->Did(left);
}

std::string TrafficWorker::Create(const NamedPlan& named) {
  if (named.plan.through_gateway) return CreateThroughGateway(named);
  const auto created = simulator_.CreateSession(
      merchants_[static_cast<size_t>(named.plan.merchant)], named.reference);
  if (created.ok()) return *created;
  notes_->Complain(created.status().ToString());
  return "";
}

std::string TrafficWorker::CreateThroughGateway(const NamedPlan& named) {
  const MerchantKey& merchant = merchants_[static_cast<size_t>(named.plan.merchant)];
  CreateCall create;
  create.merchant_id = merchant.id;
  create.reference = named.reference;
  create.request_id = DrawUuid(&random_);
  if (named.plan.watch == WatchBy::kRequest) {
    watches_->WatchRequest(merchant.id, Respell(create.request_id, &random_));
  }
  v1::CreateSessionRequest request = OrderOf(merchant, named.reference);
  request.set_request_id(Respell(create.request_id, &random_));
  request.set_device_id(Respell(request.device_id(), &random_));
  v1::CreateSessionResponse response;
  grpc::ClientContext context;
  connections_[0][0]->Prepare(&context);
  context.set_wait_for_ready(true);
  const grpc::Status status = StubFor(merchant)->CreateSession(&context, request, &response);
  if (status.ok()) {
    create.session_id = response.session().session_id();
    // The watch reads it: from then on an answer may tell of its steps.
    if (named.plan.watch == WatchBy::kRequest) notes_->NoteAsked(create.session_id);
  } else {
    const client::Error error = client::DecodeError(status);
    create.denied =
        error.outcome == client::Outcome::kNotSent || error.outcome == client::Outcome::kRejected;
    create.error =
        absl::StrCat(client::CodeName(error.code), " ", error.reason, " ", error.message);
    Explained(status, absl::StrCat("CreateSession of ", named.reference));
  }
  std::string session_id = create.session_id;
  notes_->Note(std::move(create));
  return session_id;
}

bool TrafficWorker::Take(PlanStep step, const MerchantKey& merchant,
                         const std::string& session_id) {
  absl::Status status;
  switch (step) {
    case PlanStep::kActivate:
      status = simulator_.Step(session_id, "activate");
      break;
    case PlanStep::kDecline:
      status =
          simulator_.Tap(merchant, session_id, kDeclines[Draw(&random_, std::size(kDeclines))]);
      break;
    case PlanStep::kPay:
      status = simulator_.Tap(merchant, session_id, "SUCCESS");
      break;
    case PlanStep::kClerkEnds:
      status = simulator_.Step(session_id, "clerk-cancel");
      break;
    case PlanStep::kExpire:
      status = simulator_.Step(session_id, "expire");
      break;
    case PlanStep::kFail:
      status = simulator_.Step(session_id, "fail");
      break;
    case PlanStep::kCancelRpc:
      return CancelThroughGateway(merchant, session_id);
    case PlanStep::kReadRpc:
      ReadThroughGateway(merchant, session_id);
      return true;
  }
  if (!status.ok()) notes_->Complain(status.ToString());
  return status.ok();
}

bool TrafficWorker::CancelThroughGateway(const MerchantKey& merchant,
                                         const std::string& session_id) {
  notes_->NoteAsked(session_id);
  v1::CancelSessionRequest request;
  request.set_session_id(Respell(session_id, &random_));
  v1::CancelSessionResponse response;
  grpc::ClientContext context;
  connections_[0][0]->Prepare(&context);
  context.set_wait_for_ready(true);
  const grpc::Status status = StubFor(merchant)->CancelSession(&context, request, &response);
  if (!status.ok()) return Explained(status, absl::StrCat("CancelSession of ", session_id));
  notes_->NoteShown(session_id);
  if (response.session().status() != v1::SESSION_STATUS_CANCELLED) {
    notes_->Complain(absl::StrCat("CancelSession of ", session_id, " answered ",
                                  Name(response.session().status())));
  }
  return true;
}

void TrafficWorker::ReadThroughGateway(const MerchantKey& merchant, const std::string& session_id) {
  notes_->NoteAsked(session_id);
  v1::GetSessionRequest request;
  request.set_session_id(Respell(session_id, &random_));
  v1::GetSessionResponse response;
  grpc::ClientContext context;
  connections_[0][0]->Prepare(&context);
  context.set_wait_for_ready(true);
  const grpc::Status status = StubFor(merchant)->GetSession(&context, request, &response);
  // Not acknowledged by that: what a read tells is written down soon, not before its answer.
  if (!status.ok()) Explained(status, absl::StrCat("GetSession of ", session_id));
}

bool TrafficWorker::Explained(const grpc::Status& status, const std::string& call) {
  const client::Error error = client::DecodeError(status);
  // A drain does not wait for the upstream for ever.
  const bool cut = EndedWithTheGateway(status) || error.reason == "OUTCOME_UNKNOWN" ||
                   // Deadlines travel as time left, but libraries keep them by the wall clock.
                   (notes_->clocks_step() && error.reason == "DEADLINE_EXCEEDED");
  if (!cut) {
    notes_->Complain(absl::StrCat(call, ": ", client::CodeName(error.code), " ", error.reason, " ",
                                  error.message));
  }
  return false;
}

TrafficWorker::Stub* TrafficWorker::StubFor(const MerchantKey& merchant) {
  const auto& stubs = stubs_[static_cast<size_t>(&merchant - merchants_.data())];
  return stubs[Draw(&random_, stubs.size())].get();
}

}  // namespace ipp::faults
