#include "tests/faults/metrics_check.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "server/base/protobuf_time.h"

namespace ipp::faults {
namespace {

constexpr const char* kMustBeZero[] = {"ipp_events_order_violations_total", "ipp_events_gaps_total",
                                       "ipp_events_duplicates_total"};
constexpr absl::string_view kStoreFailed = "store_failed";
constexpr absl::string_view kBadSignature = "bad_signature";
constexpr absl::string_view kRefusals[] = {kBadSignature, "malformed", "wrong_merchant", "ignored",
                                           kStoreFailed};

}  // namespace

double SumOf(const std::string& metrics, const std::string& name,
             const std::vector<std::string>& labels) {
  double sum = 0;
  bool found = false;
  for (absl::string_view line : absl::StrSplit(metrics, '\n')) {
    const size_t space = line.rfind(' ');
    if (space == absl::string_view::npos || !absl::StartsWith(line, name)) continue;
    const absl::string_view series = line.substr(0, space);
    if (series.substr(0, series.find('{')) != name) continue;
    bool matches = true;
    for (const std::string& label : labels) matches = matches && absl::StrContains(series, label);
    double value = 0;
    if (!matches || !absl::SimpleAtod(line.substr(space + 1), &value)) continue;
    sum += value;
    found = true;
  }
  return found ? sum : -1;
}

std::vector<std::string> FindInMetrics(const std::string& metrics, const History& history,
                                       const MetricsExpected& expected) {
  std::vector<std::string> found;
  for (const char* name : kMustBeZero) {
    const double value = SumOf(metrics, name);
    if (value != 0) found.push_back(absl::StrCat(name, " is ", value, ", must be 0"));
  }
  for (const absl::string_view refusal : kRefusals) {
    if (expected.store_may_fail && refusal == kStoreFailed) continue;
    if (expected.clock_stepped && refusal == kBadSignature) continue;
    const std::string label = absl::StrCat("result=\"", refusal, "\"");
    const double value = SumOf(metrics, "ipp_webhooks_total", {label});
    if (value != 0) found.push_back(absl::StrCat("ipp_webhooks_total{", label, "} is ", value));
  }
  const double told = SumOf(metrics, "ipp_session_events_total");
  int seen = 0;
  for (const SeenEventPtr& each : history.observers.front().events) {
    const bool since = FromTimestamp(each->event.recorded_at()) >= expected.started_at;
    if (since || expected.clock_stepped) ++seen;
  }
  if (expected.counts_all && !expected.clock_stepped ? told != seen : (told < 0 || told > seen)) {
    found.push_back(absl::StrCat("ipp_session_events_total is ", told, ", but since the start ",
                                 seen, " events were seen"));
  }
  return found;
}

}  // namespace ipp::faults
