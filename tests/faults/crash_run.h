#pragma once

#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tests/faults/bed.h"
#include "tests/faults/changes.h"
#include "tests/faults/metrics_check.h"
#include "tests/faults/observer.h"
#include "tests/faults/options.h"
#include "tests/faults/report.h"
#include "tests/faults/traffic.h"
#include "tests/faults/verdict.h"
#include "tests/faults/watches.h"

namespace ipp::faults {

// Rounds on one store, with subscribers that stay: traffic under webhook faults, a kill or two in
// the middle, then the wait until the world has settled, and the verdict. The main thread only.
class CrashRun {
 public:
  explicit CrashRun(const RunOptions& options) : options_(options) {}
  ~CrashRun();

  absl::Status Start();
  // An error is one of the run itself (a process that does not come up); a broken promise is in the
  // report.
  absl::StatusOr<RoundReport> Round(int number);
  // What can only be said of the whole run: that it was hard enough to mean something.
  std::vector<std::string> Finish();

  // Where logs and store are. They stay after Keep(), with what was seen beside them: events.txt,
  // sessions.json, webhooks.json.
  const std::string& directory() { return bed_->directory().path(); }
  void Keep();

 private:
  absl::Status SetReceivers(int round);
  absl::Status Drive(uint64_t seed, RoundReport* report);
  absl::Status KillOnce(int at_action, RoundReport* report);
  absl::Status EndOpenSessions(const std::set<std::string>& but);
  absl::Status Settle(RoundReport* report);
  absl::Status WaitForWebhooks(absl::Time deadline);
  History Look(const Truth& truth);
  void CheckMetrics(RoundReport* report);
  std::vector<std::string> WrongInMetrics(const GatewayProcess& gateway,
                                          const History& history) const;
  // By gateways that live.
  int RefusedWebhooks();
  void StartObservers();

  const RunOptions options_;
  std::mt19937_64 random_;
  Changes changes_;
  std::unique_ptr<Bed> bed_;
  std::unique_ptr<SimulatorControl> control_;
  std::vector<std::unique_ptr<Observer>> observers_;
  std::unique_ptr<Observer> late_;
  std::unique_ptr<Watches> watches_;
  std::unique_ptr<Traffic> traffic_;
  std::vector<RoundReport> reports_;
  // After the last round.
  SimulatorControl::Reading reading_;
  Tally tally_;
  Strikes strikes_;
  int cut_creates_ = 0;
};

}  // namespace ipp::faults
