#include <signal.h>
#include <sys/prctl.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "tests/bench/curl_floor.h"
#include "tests/bench/flags.h"

// The processes of the benchmark besides the gateway itself: what puts load on it, and the floors
// to compare it with. bench.py starts them.
namespace ipp::bench {

void Die(const std::string& message) {
  std::fprintf(stderr, "gateway_bench: %s\n", message.c_str());
  std::exit(1);
}

Flags::Flags(int argc, char** argv, int first) {
  for (int i = first; i < argc; ++i) {
    const std::string flag = argv[i];
    const size_t equals = flag.find('=');
    if (flag.rfind("--", 0) != 0 || equals == flag.npos) Die("not --name=value: " + flag);
    values_[flag.substr(2, equals - 2)] = flag.substr(equals + 1);
  }
}

std::string Flags::Text(const std::string& name) const {
  const auto it = values_.find(name);
  if (it == values_.end()) Die("--" + name + " is required");
  return it->second;
}

std::string Flags::Text(const std::string& name, const std::string& otherwise) const {
  const auto it = values_.find(name);
  return it == values_.end() ? otherwise : it->second;
}

int Flags::Number(const std::string& name) const {
  int number = 0;
  if (!absl::SimpleAtoi(Text(name), &number)) Die("--" + name + " is not a number");
  return number;
}

int RunCurl(const Flags& flags) {
  CurlFloor floor;
  floor.base_url = flags.Text("url");
  floor.ca_file = flags.Text("ca");
  floor.target = flags.Text("target");
  floor.headers = absl::StrSplit(flags.Text("headers"), '\n');
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
  if (mode == "broadcast") return RunBroadcast(flags);
  if (mode == "subscribers") return RunSubscribers(flags);
  Die("usage: gateway_bench answers|calls|curl|broadcast|subscribers --name=value...");
}

}  // namespace
}  // namespace ipp::bench

int main(int argc, char** argv) { return ipp::bench::Main(argc, argv); }
