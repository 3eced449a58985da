#include "client/settler.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

namespace ipp::client {
namespace {

namespace v1 = ::kustom::ipp::v1;

}  // namespace

Settler::Settler(Stub* stub, const ConsumerOptions& options)
    : clock_(ClockAndRandom::OrReal(options.clock)),
      stub_(*stub),
      options_(options),
      book_(options.first_pause, options.longest_pause) {}

void Settler::Start() {
  thread_ = std::thread([this] { Run(); });
  teller_ = std::thread([this] { TellLost(); });
}

void Settler::Close(absl::Duration limit) {
  {
    MutexLock lock(&wake_.mutex);
    end_at_ = std::min(end_at_, clock_.Now() + limit);
    wake_.changed.SignalAll();
  }
  if (thread_.joinable()) thread_.join();
  if (teller_.joinable()) teller_.join();
}

std::shared_ptr<Lease> Settler::Hold(const v1::LeasedSessionEvent& leased, absl::Duration length) {
  MutexLock lock(&wake_.mutex);
  wake_.changed.SignalAll();
  return book_.Hold(leased, length, clock_.Now());
}

bool Settler::Begin(Lease* lease) {
  MutexLock lock(&wake_.mutex);
  return book_.Begin(lease);
}

void Settler::Settle(const std::shared_ptr<Lease>& lease, v1::Settlement settlement) {
  MutexLock lock(&wake_.mutex);
  book_.Settle(lease, std::move(settlement));
  wake_.changed.SignalAll();
}

void Settler::ReleaseWaiting() {
  MutexLock lock(&wake_.mutex);
  book_.ReleaseWaiting();
  wake_.changed.SignalAll();
}

void Settler::StopExtending() {
  MutexLock lock(&wake_.mutex);
  book_.StopExtending();
}

bool Settler::IsLost(const Lease& lease) {
  MutexLock lock(&wake_.mutex);
  book_.Pass(clock_.Now());  // the thread may be late
  if (lease.lost) wake_.changed.SignalAll();
  return lease.lost;
}

bool Settler::WaitLost(const Lease& lease, absl::Duration limit) {
  MutexLock lock(&wake_.mutex);
  const absl::Duration until = clock_.Now() + limit;
  while (!lease.lost && clock_.Now() < until) Wait(until);
  return lease.lost;
}

bool Settler::Check(const std::shared_ptr<Lease>& lease) {
  MutexLock lock(&wake_.mutex);
  if (lease->lost || lease->state == Lease::State::kDone) return false;
  const uint64_t number = book_.Extend(lease);
  wake_.changed.SignalAll();
  while (!lease->lost && lease->extension < number) {
    if (lease->state == Lease::State::kDone) return false;  // its handler has returned
    Wait(lease->held_until);
  }
  return !lease->lost;
}

void Settler::Run() {
  pthread_setname_np(pthread_self(), "ipp-settler");
  std::unique_ptr<Call> call;
  while (true) {
    {
      MutexLock lock(&wake_.mutex);
      if (call != nullptr && call->ended) {
        Finish(call.get());
        call.reset();
      }
      const absl::Duration now = clock_.Now();
      book_.Pass(now);
      auto lost = book_.TakeLost();
      if (!lost.empty()) wake_.changed.SignalAll();
      std::move(lost.begin(), lost.end(), std::back_inserter(untold_));
      const bool ends = end_at_ < absl::InfiniteDuration() && (book_.Settled() || now >= end_at_);
      if (ends && call == nullptr) {
        settles_ = false;
        wake_.changed.SignalAll();
        return;
      }
      if (ends) call->context.TryCancel();
      LeaseBook::Batch batch;
      if (call == nullptr) batch = book_.Take(now);
      if (batch.empty()) {
        absl::Duration due = std::min(book_.PassDueAt(), end_at_);
        if (call == nullptr) due = std::min(due, book_.TakeDueAt());
        Wait(ends ? absl::InfiniteDuration() : due);  // when it ends, for the call's end alone
        continue;
      }
      call = Begin(std::move(batch));
    }
    Send(call.get());
  }
}

std::unique_ptr<Settler::Call> Settler::Begin(LeaseBook::Batch batch) const {
  auto call = std::make_unique<Call>();
  call->request.set_subscription(options_.subscription.name());
  for (const LeaseBook::Wish& wish : batch) *call->request.add_settlements() = wish.settlement;
  call->batch = std::move(batch);
  call->sent_at = clock_.Now();
  call->context.set_deadline(std::chrono::system_clock::now() +
                             absl::ToChronoMilliseconds(options_.call_timeout));
  return call;
}

void Settler::Send(Call* call) {
  if (options_.prepare) options_.prepare(&call->context);
  stub_.async()->SettleSessionEvents(&call->context, &call->request, &call->response,
                                     [this, call](grpc::Status status) {
                                       MutexLock lock(&wake_.mutex);
                                       call->ended = std::move(status);
                                       wake_.changed.SignalAll();
                                     });
}

void Settler::Finish(Call* call) {
  if (call->ended->ok()) {
    book_.Answered(call->batch, call->response, call->sent_at);
  } else {
    book_.Failed(std::move(call->batch), *call->ended, clock_.Now(), clock_.Random());
  }
  wake_.changed.SignalAll();  // a Check waits for it
}

void Settler::TellLost() {
  pthread_setname_np(pthread_self(), "ipp-lost");
  while (true) {
    std::vector<std::shared_ptr<Lease>> lost;
    {
      MutexLock lock(&wake_.mutex);
      while (untold_.empty() && settles_) wake_.changed.Wait(&wake_.mutex);
      lost.swap(untold_);
    }
    if (lost.empty()) return;
    for (const auto& lease : lost) {
      if (options_.on_lease_lost) options_.on_lease_lost(Delivery(lease, this));
    }
  }
}

}  // namespace ipp::client
