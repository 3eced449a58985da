#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "server/base/mutex.h"
#include "tests/faults/changes.h"
#include "tests/faults/history.h"
#include "tests/faults/plan.h"
#include "tests/faults/simulator_process.h"
#include "tests/faults/watches.h"

namespace ipp::faults {

struct NamedPlan {
  std::string reference;
  Plan plan;
};

// Where workers note what they did. Thread-safe.
class TrafficNotes {
 public:
  virtual ~TrafficNotes() = default;
  virtual void Did(int actions) = 0;
  virtual void Note(CreateCall create) = 0;
  virtual void NoteAsked(const std::string& session_id) = 0;
  virtual void NoteShown(const std::string& session_id) = 0;
  virtual void NoteStaysOpen(const std::string& session_id) = 0;
  virtual void Complain(const std::string& what) = 0;
  virtual bool clocks_step() const = 0;
};

// Lives out plans: creates, taps, cancels, over the gateways and beside them. Goes on while
// gateways are killed: a call that is cut is noted as such, one that finds no gateway waits. Some
// threads; used by one.
class Traffic final : private TrafficNotes {
 public:
  // `clocks_step`: those of the gateways.
  Traffic(const SimulatorProcess& simulator, std::vector<std::string> gateways, Watches* watches,
          bool clocks_step = false);
  ~Traffic() override;

  // `name` is part of every reference, so that they stay unique. Not before the last Finish.
  void Begin(const std::string& name, const std::vector<Plan>& plans, uint64_t seed);
  // Steps done or given up since Begin; all plans' actions in the end.
  int actions() const { return actions_.load(); }
  // Until so many are; false when the time is over before.
  bool WaitForActions(int count, std::chrono::milliseconds limit);
  // Until all plans are lived out.
  void Finish();

  Ledger ledger() const;  // since the start
  // Sessions of this round whose plan is to stay open.
  std::set<std::string> stays_open() const;
  // What no kill explains.
  std::vector<std::string> complaints() const;

 private:
  std::optional<NamedPlan> Next(bool through_gateway);
  void Did(int actions) override;
  void Note(CreateCall create) override;
  void NoteAsked(const std::string& session_id) override;
  void NoteShown(const std::string& session_id) override;
  void NoteStaysOpen(const std::string& session_id) override;
  void Complain(const std::string& what) override;
  bool clocks_step() const override { return clocks_step_; }

  const SimulatorProcess& simulator_;
  const std::vector<std::string> gateways_;
  Watches* const watches_;
  const bool clocks_step_;
  Changes changes_;
  std::atomic<int> actions_ = 0;
  std::vector<std::thread> threads_;

  mutable Mutex mutex_;
  std::deque<NamedPlan> through_gateway_ ABSL_GUARDED_BY(mutex_);
  std::deque<NamedPlan> direct_ ABSL_GUARDED_BY(mutex_);
  Ledger ledger_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> stays_open_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> complaints_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ipp::faults
