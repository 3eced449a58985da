#include "tests/faults/watches.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ippclient/error.h"
#include "tests/faults/fresh_channel.h"

namespace ipp::faults {

namespace v1 = kustom::ipp::v1;

struct Watches::Watch {
  std::string merchant_id;
  v1::WatchSessionRequest request;
  std::thread thread;
  // Guarded by mutex_.
  std::unique_ptr<grpc::ClientContext> context;
  WatchObservation seen;
};

void Watches::WatchSession(const std::string& merchant_id, const std::string& session_id,
                           const std::string& spelled) {
  auto watch = std::make_shared<Watch>();
  watch->merchant_id = merchant_id;
  watch->request.set_session_id(spelled);
  watch->seen.session_id = session_id;
  Begin(std::move(watch));
}

void Watches::WatchRequest(const std::string& merchant_id, const std::string& request_id) {
  auto watch = std::make_shared<Watch>();
  watch->merchant_id = merchant_id;
  watch->request.set_request_id(request_id);
  Begin(std::move(watch));
}

void Watches::Begin(std::shared_ptr<Watch> watch) {
  MutexLock lock(&mutex_);
  watch->thread = std::thread([this, watch = watch.get()] { Run(watch); });
  watches_.push_back(std::move(watch));
}

void Watches::Run(Watch* watch) {
  // Spread over the gateways by what is asked for.
  size_t turn = std::hash<std::string>()(watch->request.SerializeAsString());
  while (CallOnce(watch, gateways_[turn++ % gateways_.size()])) {
    MutexLock lock(&mutex_);
    if (!stopping_) stopped_.WaitFor(&mutex_, std::chrono::milliseconds(20));
  }
}

// True: to be called again.
bool Watches::CallOnce(Watch* watch, const std::string& gateway) {
  const auto channel = FreshChannel(gateway);
  const auto stub = v1::SessionService::NewStub(channel);
  grpc::ClientContext* context = nullptr;
  {
    MutexLock lock(&mutex_);
    if (stopping_) return false;
    watch->context = std::make_unique<grpc::ClientContext>();
    context = watch->context.get();
    watch->seen.calls.emplace_back();
  }
  context->AddMetadata("x-merchant-id", watch->merchant_id);
  const auto reader = stub->WatchSession(context, watch->request);
  for (v1::WatchSessionResponse step; reader->Read(&step);) {
    if (step.heartbeat()) continue;
    MutexLock lock(&mutex_);
    if (watch->seen.session_id.empty()) watch->seen.session_id = step.session().session_id();
    if (watch->seen.session_id != step.session().session_id()) {
      complaints_.push_back(absl::StrCat("a watch of ", watch->seen.session_id, " shows ",
                                         step.session().session_id()));
    }
    watch->seen.calls.back().steps.push_back(std::move(step));
  }
  const grpc::Status status = reader->Finish();
  changes_->Tell();
  MutexLock lock(&mutex_);
  watch->seen.calls.back().ended_ok = status.ok();
  if (status.ok() || stopping_) return false;
  if (EndedWithTheGateway(status)) return true;
  complaints_.push_back(absl::StrCat("a watch of session '", watch->seen.session_id,
                                     "' ended with ", client::CodeName(status.error_code()), ": ",
                                     status.error_message()));
  return false;
}

std::vector<WatchObservation> Watches::observations() const {
  MutexLock lock(&mutex_);
  std::vector<WatchObservation> all;
  for (const auto& watch : watches_) {
    if (!watch->seen.session_id.empty()) all.push_back(watch->seen);
  }
  return all;
}

std::vector<std::string> Watches::complaints() const {
  MutexLock lock(&mutex_);
  return complaints_;
}

void Watches::End() {
  std::vector<std::shared_ptr<Watch>> watches;
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    stopped_.SignalAll();
    for (const auto& watch : watches_) {
      if (watch->context != nullptr) watch->context->TryCancel();
    }
    watches = std::exchange(watches_, {});
  }
  for (const auto& watch : watches) watch->thread.join();
  MutexLock lock(&mutex_);
  stopping_ = false;
}

}  // namespace ipp::faults
