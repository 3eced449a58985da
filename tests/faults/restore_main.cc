// restore_run --build DIR: backups are restored under the real gateway, see restore_run.h.
#include <cstdio>
#include <string>

#include "tests/faults/options.h"
#include "tests/faults/restore_run.h"

int main(int argc, char** argv) {
  const auto options = ipp::faults::ParseOptions({argv + 1, argv + argc});
  if (!options.ok()) {
    std::fprintf(stderr, "%s\n", std::string(options.status().message()).c_str());
    return 2;
  }
  ipp::faults::RestoreRun run(*options);
  absl::Status status = run.Start();
  for (int round = 1; status.ok() && round <= options->rounds; ++round) {
    status = run.Round();
    if (!status.ok()) std::printf("round %d of seed %lu: ", round, options->seed);
  }
  if (status.ok()) {
    std::printf("%s\n", run.Summary().c_str());
    if (run.Judged()) return 0;
    status = absl::ResourceExhaustedError("the machine was too slow for every round");
  }
  std::printf("%s\nlogs and store: %s\n", status.ToString().c_str(), run.Keep().c_str());
  return 1;
}
