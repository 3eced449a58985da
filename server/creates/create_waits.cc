#include "server/creates/create_waits.h"

#include <algorithm>
#include <utility>

namespace ipp::creates {

CreateWaits::CreateWaits(store::Store* store, Scheduler* scheduler)
    : store_(store),
      tick_(scheduler, kLookAgain, [this](PeriodicTask::Run run) { Tick(std::move(run)); }) {
  tick_.Start();
}

void CreateWaits::Wait::Cancel() { owner_->End(this); }

std::shared_ptr<CreateWaits::Wait> CreateWaits::Start(store::IntentKey create,
                                                      absl::AnyInvocable<void() &&> look) {
  std::shared_ptr<Wait> wait(new Wait(this, std::move(create), std::move(look)));
  MutexLock lock(&mutex_);
  waits_.push_back(wait);
  return wait;
}

void CreateWaits::End(Wait* wait) {
  absl::AnyInvocable<void() &&> look;
  {
    MutexLock lock(&mutex_);
    look = std::exchange(wait->look_, nullptr);
  }
  if (look) std::move(look)();
}

void CreateWaits::Tick(PeriodicTask::Run run) {
  Waits waiting;
  {
    MutexLock lock(&mutex_);
    std::erase_if(waits_, [](const std::shared_ptr<Wait>& wait) { return !wait->look_; });
    waiting = waits_;
  }
  // The run ends with the last answer.
  const auto shared = std::make_shared<PeriodicTask::Run>(std::move(run));
  for (size_t first = 0; first < waiting.size(); first += kTogether) {
    const size_t end = std::min(first + kTogether, waiting.size());
    Ask(Waits(waiting.begin() + static_cast<std::ptrdiff_t>(first),
              waiting.begin() + static_cast<std::ptrdiff_t>(end)),
        shared);
  }
}

void CreateWaits::Ask(Waits group, std::shared_ptr<PeriodicTask::Run> run) {
  std::vector<store::IntentKey> creates;
  creates.reserve(group.size());
  for (const auto& wait : group) creates.push_back(wait->create_);
  store_->AreSettled(std::move(creates), [this, group = std::move(group), run = std::move(run)](
                                             absl::StatusOr<std::vector<bool>> settled) {
    // A store that cannot be read answers the same to all of them, each with its own error.
    for (size_t i = 0; i < group.size(); ++i) {
      if (!settled.ok() || (*settled)[i]) End(group[i].get());
    }
  });
}

}  // namespace ipp::creates
