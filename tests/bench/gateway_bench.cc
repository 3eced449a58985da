#include <signal.h>
#include <sys/prctl.h>

#include <cstdio>
#include <string>

#include "absl/strings/str_split.h"
#include "tests/bench/curl_floor.h"
#include "tests/bench/flags.h"

// The processes of the unary benchmark besides the gateway itself: what puts load on it, and the
// floors to compare it with. bench.py starts them.
namespace ipp::bench {

int RunCurl(const Flags& flags) {
  CurlFloor floor;
  floor.base_url = flags.Text("url");
  floor.ca_file = flags.Text("ca");
  floor.target = flags.Text("target");
  floor.headers = absl::StrSplit(flags.Text("headers"), '\n');
  floor.body = flags.Text("body", "");
  floor.in_flight = flags.Number("in-flight");
  floor.warm_up = flags.Number("warm-up");
  floor.requests = flags.Number("calls");
  const auto result = RunCurlFloor(floor);
  if (!result.ok()) Die(std::string(result.status().message()));
  std::printf("cpu_us=%.3f per_second=%.0f\n", result->cpu_us_per_request(),
              static_cast<double>(result->requests) / result->wall_us * 1e6);
  return 0;
}

namespace {

int Main(int argc, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // not to outlive the script
  const std::string mode = argc > 1 ? argv[1] : "";
  const Flags flags(argc, argv, 2);
  if (mode == "answers") return RunAnswers(flags);
  if (mode == "calls") return RunCalls(flags);
  if (mode == "curl") return RunCurl(flags);
  Die("usage: gateway_bench answers|calls|curl --name=value...");
}

}  // namespace
}  // namespace ipp::bench

int main(int argc, char** argv) { return ipp::bench::Main(argc, argv); }
