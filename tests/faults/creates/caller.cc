#include "tests/faults/creates/caller.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "server/base/protobuf_time.h"
#include "tests/faults/fresh_channel.h"
#include "tests/faults/steps.h"

namespace ipp::faults {
namespace {

namespace v1 = kustom::ipp::v1;

// Of calls that no fault is meant for: generous, since a machine may be loaded.
constexpr absl::Duration kPlenty = absl::Seconds(20);

absl::Status Failed(const char* call, const grpc::Status& status) {
  const client::Error error = client::DecodeError(status);
  const std::string text =
      absl::StrCat(call, ": ", client::CodeName(error.code), " ", error.reason, " ", error.message);
  if (error.reason == "CREATE_NOT_FOUND") return absl::NotFoundError(text);
  return absl::InternalError(text);
}

}  // namespace

PendingCreate::~PendingCreate() {
  context_.TryCancel();
  ended_.WaitForNotification();
}

CallerAnswer PendingCreate::Answer() {
  ended_.WaitForNotification();
  CallerAnswer answer;
  answer.made = true;
  answer.error = client::DecodeError(status_);
  answer.gone = !status_.ok() && answer.error.reason.empty();
  answer.response = response_;
  const auto& trailers = context_.GetServerTrailingMetadata();
  if (const auto id = trailers.find("x-request-id"); id != trailers.end()) {
    answer.trailer_id.assign(id->second.data(), id->second.size());
  }
  return answer;
}

Caller::Caller(const std::string& address, std::string merchant_id)
    : merchant_id_(std::move(merchant_id)),
      channel_(FreshChannel(address)),
      sessions_(v1::SessionService::NewStub(channel_)),
      events_(v1::SessionEventService::NewStub(channel_)),
      outcomes_(v1::OutcomeService::NewStub(channel_)),
      locations_(v1::LocationService::NewStub(channel_)) {}

void Caller::Prepare(grpc::ClientContext* context, absl::Duration limit) const {
  context->AddMetadata("x-merchant-id", merchant_id_);
  context->set_deadline(absl::ToChronoTime(absl::Now() + limit));
}

std::unique_ptr<PendingCreate> Caller::Create(const v1::CreateSessionRequest& request,
                                              absl::Duration deadline) {
  auto pending = std::unique_ptr<PendingCreate>(new PendingCreate());
  pending->request_ = request;
  Prepare(&pending->context_, deadline);
  sessions_->async()->CreateSession(&pending->context_, &pending->request_, &pending->response_,
                                    [call = pending.get()](grpc::Status status) {
                                      call->status_ = std::move(status);
                                      call->ended_.Notify();
                                    });
  return pending;
}

absl::Status Caller::Warm() {
  grpc::ClientContext context;
  Prepare(&context, kPlenty);
  v1::ListLocationsResponse response;
  const grpc::Status status = locations_->ListLocations(&context, {}, &response);
  return status.ok() ? absl::OkStatus() : Failed("ListLocations", status);
}

absl::StatusOr<ToldOutcome> Caller::Outcome(const std::string& request_id) {
  grpc::ClientContext context;
  Prepare(&context, kPlenty);
  v1::GetCreateOutcomeRequest request;
  request.set_request_id(request_id);
  v1::GetCreateOutcomeResponse response;
  const grpc::Status status = outcomes_->GetCreateOutcome(&context, request, &response);
  if (status.ok()) return ToldOutcome{.known = true, .outcome = response.outcome()};
  absl::Status failed = Failed("GetCreateOutcome", status);
  if (absl::IsNotFound(failed)) return ToldOutcome{};
  return failed;
}

absl::StatusOr<std::vector<v1::CreateOutcome>> Caller::Outcomes(int count) {
  grpc::ClientContext context;
  Prepare(&context, kPlenty);
  v1::ListCreateOutcomesRequest request;
  request.add_merchant_ids(merchant_id_);
  request.set_page_size(count);
  v1::ListCreateOutcomesResponse response;
  const grpc::Status status = outcomes_->ListCreateOutcomes(&context, request, &response);
  if (!status.ok()) return Failed("ListCreateOutcomes", status);
  return std::vector<v1::CreateOutcome>(response.outcomes().begin(), response.outcomes().end());
}

absl::StatusOr<v1::Session> Caller::Read(const std::string& session_id) {
  grpc::ClientContext context;
  Prepare(&context, kPlenty);
  v1::GetSessionRequest request;
  request.set_session_id(session_id);
  v1::GetSessionResponse response;
  const grpc::Status status = sessions_->GetSession(&context, request, &response);
  if (!status.ok()) return Failed("GetSession", status);
  return response.session();
}

std::vector<v1::SessionEvent> Caller::Follow(const std::string& session_id, absl::Time since,
                                             absl::Duration limit) {
  grpc::ClientContext context;
  Prepare(&context, limit);
  v1::SubscribeSessionEventsRequest request;
  request.mutable_filter()->add_session_ids(session_id);
  *request.mutable_start_time() = ToTimestamp(since);
  const auto stream = events_->SubscribeSessionEvents(&context, request);
  std::vector<v1::SessionEvent> events;
  v1::SubscribeSessionEventsResponse response;
  while (stream->Read(&response)) {
    if (!response.has_event()) continue;
    events.push_back(response.event());
    if (IsTerminal(response.event().type())) break;
  }
  context.TryCancel();
  while (stream->Read(&response)) {
  }
  stream->Finish();
  return events;
}

absl::StatusOr<std::vector<v1::SessionEvent>> Caller::List(const std::string& session_id,
                                                           absl::Time since) {
  grpc::ClientContext context;
  Prepare(&context, kPlenty);
  v1::ListSessionEventsRequest request;
  request.mutable_filter()->add_session_ids(session_id);
  *request.mutable_start_time() = ToTimestamp(since);
  v1::ListSessionEventsResponse response;
  const grpc::Status status = events_->ListSessionEvents(&context, request, &response);
  if (!status.ok()) return Failed("ListSessionEvents", status);
  return std::vector<v1::SessionEvent>(response.events().begin(), response.events().end());
}

bool Caller::Watch(const std::string& request_id, absl::Duration limit, v1::Session* last) {
  grpc::ClientContext context;
  Prepare(&context, limit);
  v1::WatchSessionRequest request;
  request.set_request_id(request_id);
  const auto stream = sessions_->WatchSession(&context, request);
  v1::WatchSessionResponse response;
  while (stream->Read(&response)) *last = response.session();
  return stream->Finish().ok();
}

}  // namespace ipp::faults
