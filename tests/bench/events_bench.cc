#include <signal.h>
#include <sys/prctl.h>

#include <map>
#include <string>

#include "absl/synchronization/mutex.h"
#include "tests/bench/flags.h"

// The processes of the benchmark of the events besides the gateway itself: what puts load on it,
// and the floors. bench.py starts them. Allocator and gRPC's locks are as in the gateway.
namespace ipp::bench {
namespace {

const std::map<std::string, int (*)(const Flags&)> kModes = {
    {"broadcast", &RunBroadcast}, {"flood", &RunFlood},     {"fsync", &RunFsync},
    {"hold", &RunHold},           {"latency", &RunLatency}, {"resume", &RunResume},
    {"seed", &RunSeed},           {"web", &RunWeb},         {"subscribers", &RunSubscribers},
    {"webhooks", &RunWebhooks},
};

int Main(int argc, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // not to outlive the script
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  const auto mode = kModes.find(argc > 1 ? argv[1] : "");
  if (mode == kModes.end()) Die("usage: events_bench MODE --name=value...; see README.md");
  return mode->second(Flags(argc, argv, 2));
}

}  // namespace
}  // namespace ipp::bench

int main(int argc, char** argv) { return ipp::bench::Main(argc, argv); }
