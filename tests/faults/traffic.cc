#include "tests/faults/traffic.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/faults/traffic_worker.h"

namespace ipp::faults {
namespace {

constexpr int kGatewayThreads = 3;
constexpr int kDirectThreads = 2;

}  // namespace

Traffic::Traffic(const SimulatorProcess& simulator, std::vector<std::string> gateways,
                 Watches* watches, bool clocks_step)
    : simulator_(simulator),
      gateways_(std::move(gateways)),
      watches_(watches),
      clocks_step_(clocks_step) {}

Traffic::~Traffic() { Finish(); }

void Traffic::Begin(const std::string& name, const std::vector<Plan>& plans, uint64_t seed) {
  {
    MutexLock lock(&mutex_);
    int number = 0;
    for (const Plan& plan : plans) {
      (plan.through_gateway ? through_gateway_ : direct_)
          .push_back({absl::StrCat(name, "-", ++number), plan});
    }
    stays_open_.clear();
  }
  actions_ = 0;
  for (int i = 0; i < kGatewayThreads + kDirectThreads; ++i) {
    threads_.emplace_back([this, seed, i] {
      // No other round's worker may draw the same ids.
      TrafficWorker worker(simulator_, gateways_, watches_, this,
                           seed * 64 + static_cast<uint64_t>(i));
      while (const std::optional<NamedPlan> next = Next(i < kGatewayThreads)) {
        worker.Live(*next);
      }
    });
  }
}

std::optional<NamedPlan> Traffic::Next(bool through_gateway) {
  MutexLock lock(&mutex_);
  std::deque<NamedPlan>& queue = through_gateway ? through_gateway_ : direct_;
  if (queue.empty()) return std::nullopt;
  NamedPlan next = std::move(queue.front());
  queue.pop_front();
  return next;
}

bool Traffic::WaitForActions(int count, std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (true) {
    const uint64_t seen = changes_.count();
    if (actions() >= count) return true;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    changes_.WaitBeyond(seen, left);
  }
}

void Traffic::Finish() {
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Traffic::Did(int actions) {
  actions_ += actions;
  changes_.Tell();
}

void Traffic::Note(CreateCall create) {
  MutexLock lock(&mutex_);
  if (!create.session_id.empty()) ledger_.acknowledged.insert(create.session_id);
  ledger_.creates.push_back(std::move(create));
}

void Traffic::NoteAsked(const std::string& session_id) {
  MutexLock lock(&mutex_);
  ledger_.asked.insert(session_id);
}

void Traffic::NoteShown(const std::string& session_id) {
  MutexLock lock(&mutex_);
  ledger_.acknowledged.insert(session_id);
}

void Traffic::NoteStaysOpen(const std::string& session_id) {
  MutexLock lock(&mutex_);
  stays_open_.insert(session_id);
}

void Traffic::Complain(const std::string& what) {
  MutexLock lock(&mutex_);
  complaints_.push_back(what);
}

Ledger Traffic::ledger() const {
  MutexLock lock(&mutex_);
  return ledger_;
}

std::set<std::string> Traffic::stays_open() const {
  MutexLock lock(&mutex_);
  return stays_open_;
}

std::vector<std::string> Traffic::complaints() const {
  MutexLock lock(&mutex_);
  return complaints_;
}

}  // namespace ipp::faults
