#include "server/upstream/session_reader.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "server/base/error.h"

namespace ipp::upstream {

namespace v1 = kustom::ipp::v1;

namespace {

// An answer that proves something.
bool IsAnswer(const v1::GetSessionResponse& response, const std::string& session_id) {
  const v1::Session& session = response.session();
  if (session.status() == v1::SESSION_STATUS_UNSPECIFIED && session.status_raw().empty()) {
    return false;
  }
  return session.session_id().empty() || session.session_id() == session_id;
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
  {
    MutexLock lock(&mutex_);
    id = ++last_;
    calls_.emplace(id, nullptr);
  }
  auto call = client_->Start(
      get_, request, into,
      {.merchant_id = merchant_id, .trace = std::move(trace), .deadline = clock_->Now() + limit_},
      [this, id, session_id, response = std::move(response),
       done = std::move(done)](CallResult result) mutable {
        Forget(id);
        if (!result.status.ok()) return std::move(done)(result.status);
        if (!IsAnswer(*response, session_id)) {
          return std::move(done)(MakeError(absl::StatusCode::kInternal,
                                           "the upstream's answer is not the session asked for",
                                           {.reason = "UPSTREAM_MALFORMED",
                                            .metadata = {},
                                            .violations = {},
                                            .retry_after = std::nullopt}));
        }
        response->mutable_session()->set_session_id(session_id);
        std::move(done)(SessionRead{.session = std::move(*response->mutable_session()),
                                    .request_id = std::move(result.request_id)});
      });
  Keep(id, std::move(call));
}

void SessionReader::Keep(uint64_t id, std::shared_ptr<UpstreamClient::Call> call) {
  {
    MutexLock lock(&mutex_);
    const auto kept = calls_.find(id);
    if (kept == calls_.end()) return;  // answered already
    kept->second = call;
    if (!cancelled_) return;
  }
  call->Cancel();
}

void SessionReader::Forget(uint64_t id) {
  std::shared_ptr<UpstreamClient::Call> call;
  MutexLock lock(&mutex_);
  const auto kept = calls_.find(id);
  call = std::move(kept->second);
  calls_.erase(kept);
}

void SessionReader::CancelAll() {
  std::vector<std::shared_ptr<UpstreamClient::Call>> calls;
  {
    MutexLock lock(&mutex_);
    cancelled_ = true;
    for (const auto& [id, call] : calls_) {
      if (call != nullptr) calls.push_back(call);
    }
  }
  for (const auto& call : calls) call->Cancel();
}

}  // namespace ipp::upstream
