#pragma once

#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "kustom/ipp/v1/shared_subscription.grpc.pb.h"
#include "tests/faults/bed.h"
#include "tests/faults/changes.h"
#include "tests/faults/consumers/consumer_verdict.h"
#include "tests/faults/options.h"
#include "tests/faults/traffic.h"
#include "tests/faults/watches.h"

namespace ipp::faults {

struct ConsumerFaults {
  int consumer_kills = 0;
  int pauses = 0;  // of a whole consumer, past its leases
  int kills = 0;   // of gateways or the database
  int drains = 0;
  int redrives = 0;
};

// A line of the table. The verdict is about all rounds so far.
struct ConsumersReport {
  int number = 0;
  uint64_t seed = 0;
  ConsumerFaults faults;
  int events = 0;         // of the log, so far
  absl::Duration settle;  // from the end of the traffic until all was settled
  ConsumerVerdict verdict;
};

// Rounds on one store with one shared subscription: sales go on while consumers (processes of their
// own), gateways and the database are killed, consumers are paused past their leases, and parked
// events are redriven. Then the wait until nothing is left, and the verdict. The main thread only.
class ConsumersRun {
 public:
  explicit ConsumersRun(const RunOptions& options) : options_(options) {}
  ~ConsumersRun();

  absl::Status Start();
  // An error is one of the run itself, or a subscription that does not come to its end.
  absl::StatusOr<ConsumersReport> Round(int number);
  // What can only be said of the whole run: that it was hard enough to mean something.
  std::vector<std::string> Finish();
  // The directory with logs, store and journals; it stays.
  const std::string& Keep();

 private:
  struct Pod {
    std::string name;
    std::string journal;
    std::unique_ptr<ChildProcess> process;  // null: killed
    std::optional<absl::Time> paused_until;
  };
  using Stub = kustom::ipp::v1::SharedSubscriptionService::Stub;

  absl::Status StartPod(Pod* pod);
  absl::Status Strike(ConsumerFaults* faults);
  absl::Status KillStore(ConsumerFaults* faults);
  absl::Status Revive();
  absl::Status Redrive(ConsumerFaults* faults);
  void WakePods(bool all);
  absl::Status WaitUntilSettled(SharedTruth* truth);
  // Whether nothing is out, held or unread.
  bool Idle(std::string* state);
  absl::StatusOr<std::vector<SharedTruth::ParkedEvent>> Parked();
  absl::StatusOr<ConsumerHistory> History() const;
  std::unique_ptr<Stub> NewStub();

  const RunOptions options_;
  std::mt19937_64 random_;
  Changes changes_;
  std::unique_ptr<Bed> bed_;
  std::unique_ptr<SimulatorControl> control_;
  std::unique_ptr<Watches> watches_;
  std::unique_ptr<Traffic> traffic_;
  std::vector<Pod> pods_;
  int starts_ = 0;
  bool away_ = false;  // a gateway or the database
  std::vector<ConsumersReport> reports_;
};

// All rounds, with a line each on stdout. The exit code.
int RunConsumers(const RunOptions& options);

}  // namespace ipp::faults
