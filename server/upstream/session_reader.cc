#include "server/upstream/session_reader.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "server/base/error.h"

namespace ipp::upstream {

namespace v1 = kustom::ipp::v1;

namespace {

// Whether the answer has a status. The client has already checked that it is about the requested
// session.
bool IsAnswer(const v1::GetSessionResponse& response) {
  const v1::Session& session = response.session();
  return session.status() != v1::SESSION_STATUS_UNSPECIFIED || !session.status_raw().empty();
}

}  // namespace

SessionReader::SessionReader(UpstreamClient* client, const routes::RouteTable* routes, Clock* clock,
                             absl::Duration limit)
    : client_(client),
      get_(*routes->Find("kustom.ipp.v1.SessionService/GetSession")),
      clock_(clock),
      limit_(limit) {}

void SessionReader::Read(const std::string& merchant_id, const std::string& session_id,
                         TraceContext trace,
                         absl::AnyInvocable<void(absl::StatusOr<SessionRead>) &&> done) {
  v1::GetSessionRequest request;
  request.set_session_id(session_id);
  auto response = std::make_unique<v1::GetSessionResponse>();
  v1::GetSessionResponse* const into = response.get();
  uint64_t id = 0;
  const auto call = std::make_shared<PendingCall<UpstreamClient::Call>>();
  {
    MutexLock lock(&mutex_);
    id = ++last_;
    calls_.emplace(id, call);
    if (cancelled_) call->Cancel();
  }
  call->Start([&] {
    return client_->Start(
        get_, request, into,
        {.merchant_id = merchant_id, .trace = std::move(trace), .deadline = clock_->Now() + limit_},
        [this, id, session_id, response = std::move(response),
         done = std::move(done)](CallResult result) mutable {
          Forget(id);
          if (!result.status.ok()) return std::move(done)(result.status);
          if (!IsAnswer(*response)) {
            return std::move(done)(MakeError(absl::StatusCode::kInternal,
                                             "the upstream's answer does not say a status",
                                             {.reason = "UPSTREAM_MALFORMED"}));
          }
          response->mutable_session()->set_session_id(session_id);
          std::move(done)(SessionRead{.session = std::move(*response->mutable_session()),
                                      .request_id = std::move(result.request_id)});
        });
  });
}

void SessionReader::Forget(uint64_t id) {
  std::shared_ptr<PendingCall<UpstreamClient::Call>> call;  // released outside the lock
  MutexLock lock(&mutex_);
  const auto kept = calls_.find(id);
  call = std::move(kept->second);
  calls_.erase(kept);
}

void SessionReader::CancelAll() {
  std::vector<std::shared_ptr<PendingCall<UpstreamClient::Call>>> calls;
  {
    MutexLock lock(&mutex_);
    cancelled_ = true;
    for (const auto& [id, call] : calls_) calls.push_back(call);
  }
  for (const auto& call : calls) call->Cancel();
}

}  // namespace ipp::upstream
