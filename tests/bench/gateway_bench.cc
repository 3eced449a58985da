#include <signal.h>
#include <sys/prctl.h>

#include <cstdio>
#include <string>

#include "absl/strings/str_split.h"
#include "tests/bench/curl_floor.h"
#include "tests/bench/flags.h"
#include "tests/bench/nghttp2_floor.h"

// The processes of the unary benchmark besides the gateway itself: what puts load on it, and the
// floors to compare it with. bench.py starts them.
namespace ipp::bench {
namespace {

// `nghttp2`: without libcurl.
int RunHttpFloor(const Flags& flags, bool nghttp2) {
  CurlFloor floor;
  floor.base_url = flags.Text("url");
  floor.ca_file = flags.Text("ca");
  floor.target = flags.Text("target");
  floor.headers = absl::StrSplit(flags.Text("headers"), '\n');
  floor.body = flags.Text("body", "");
  floor.in_flight = flags.Number("in-flight");
  floor.warm_up = flags.Number("warm-up");
  floor.requests = flags.Number("calls");
  const auto result = nghttp2 ? RunNghttp2Floor(floor) : RunCurlFloor(floor);
  if (!result.ok()) Die(std::string(result.status().message()));
  std::printf("cpu_us=%.3f per_second=%.0f\n", result->cpu_us_per_request(),
              static_cast<double>(result->requests) / result->wall_us * 1e6);
  return 0;
}

int Main(int argc, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // not to outlive the script
  const std::string mode = argc > 1 ? argv[1] : "";
  const Flags flags(argc, argv, 2);
  if (mode == "answers") return RunAnswers(flags);
  if (mode == "calls") return RunCalls(flags);
  if (mode == "curl" || mode == "nghttp2") return RunHttpFloor(flags, mode == "nghttp2");
  Die("usage: gateway_bench answers|calls|curl|nghttp2 --name=value...");
}

}  // namespace
}  // namespace ipp::bench

int main(int argc, char** argv) { return ipp::bench::Main(argc, argv); }
