#include "server/base/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace ipp {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(Metrics, CountAndMeasure) {
  Metrics metrics;
  Counter& counter = metrics.counter("ipp_calls_total", "Calls.");
  counter.Add();
  counter.Add(2);
  EXPECT_EQ(counter.value(), 3);
  Gauge& gauge = metrics.gauge("ipp_streams", "Streams.");
  gauge.Set(5);
  gauge.Add(-2);
  EXPECT_EQ(gauge.value(), 3);
}

TEST(Metrics, GiveTheSameSeriesForTheSameLabelsWhateverTheHelp) {
  Metrics metrics;
  Counter& one = metrics.counter("c", "first help", {{"a", "1"}, {"b", "2"}});
  EXPECT_EQ(&metrics.counter("c", "other help", {{"b", "2"}, {"a", "1"}}), &one);
  EXPECT_NE(&metrics.counter("c", "first help", {{"a", "2"}}), &one);
  Gauge& gauge = metrics.gauge("g", "");
  EXPECT_EQ(&metrics.gauge("g", "help"), &gauge);
  Histogram& histogram = metrics.histogram("h", "");
  EXPECT_EQ(&metrics.histogram("h", "help"), &histogram);
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("# HELP c first help\n"));
  EXPECT_THAT(text, Not(HasSubstr("other help")));
}

TEST(Metrics, ArePrintedAsPrometheusReadsThem) {
  Metrics metrics;
  metrics.counter("ipp_calls_total", "Calls.", {{"reason", "a \"b\"\n"}}).Add();
  EXPECT_EQ(metrics.Text(),
            "# HELP ipp_calls_total Calls.\n"
            "# TYPE ipp_calls_total counter\n"
            "ipp_calls_total{reason=\"a \\\"b\\\"\\n\"} 1\n");
}

TEST(Metrics, AreOpenMetricsForThoseWhoAskForIt) {
  Metrics metrics;
  metrics.counter("ipp_calls_total", "Calls \\ \"all\".", {{"reason", "a \"b\"\n"}}).Add(3);
  metrics.gauge("ipp_streams", "Streams.").Set(0.25);
  metrics.histogram("h", "H.", {{"rpc", "x"}}).Observe(1.5);
  std::string text = metrics.OpenMetrics();
  EXPECT_THAT(text, HasSubstr("# TYPE ipp_calls counter\n"
                              "# HELP ipp_calls Calls \\\\ \\\"all\\\".\n"
                              "ipp_calls_total{reason=\"a \\\"b\\\"\\n\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE ipp_streams gauge\n"
                              "# HELP ipp_streams Streams.\n"
                              "ipp_streams 0.25\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE h histogram\n"
                              "# HELP h H.\n"
                              "h_bucket{rpc=\"x\",le=\"0.0001\"} 0\n"
                              "h_bucket{rpc=\"x\",le=\"0.00025\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("h_bucket{rpc=\"x\",le=\"1.0\"} 0\n"
                              "h_bucket{rpc=\"x\",le=\"2.5\"} 1\n"
                              "h_bucket{rpc=\"x\",le=\"5.0\"} 1\n"
                              "h_bucket{rpc=\"x\",le=\"10.0\"} 1\n"
                              "h_bucket{rpc=\"x\",le=\"+Inf\"} 1\n"
                              "h_count{rpc=\"x\"} 1\n"
                              "h_sum{rpc=\"x\"} 1.5\n"));
  EXPECT_THAT(text, EndsWith("# EOF\n"));
}

TEST(Metrics, HaveNoTypeInOpenMetricsWhereTheNameOfACounterDoesNotAllowOne) {
  Metrics metrics;
  metrics.counter("parked_total", "Parked so far.").Add();
  metrics.gauge("parked", "Parked now.").Set(1);
  metrics.counter("odd", "No suffix.").Add();
  const std::string text = metrics.OpenMetrics();
  EXPECT_THAT(text, HasSubstr("# TYPE parked_total unknown\n"
                              "# HELP parked_total Parked so far.\n"
                              "parked_total 1\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE parked gauge\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE odd unknown\n"));
}

// The lines of the histogram that have an exemplar, without the time.
std::vector<std::string> WithExemplar(const Metrics& metrics) {
  std::vector<std::string> lines;
  for (const absl::string_view line : absl::StrSplit(metrics.OpenMetrics(), '\n')) {
    const size_t time = line.rfind(' ');
    if (absl::StrContains(line, " # ")) lines.emplace_back(line.substr(0, time));
  }
  return lines;
}

TEST(Metrics, HaveTheLastRecordedTraceOfEachBucketAsItsExemplar) {
  Metrics metrics;
  Histogram& histogram = metrics.histogram("h", "H.", {{"rpc", "x"}});
  metrics.histogram("h", "H.", {{"rpc", "y"}}).Observe(0.003);
  histogram.Observe(0.003);
  EXPECT_THAT(WithExemplar(metrics), IsEmpty());
  histogram.Observe(0.005, "aaaa");  // a bound belongs to its bucket
  histogram.Observe(0.004, "bbbb");
  histogram.Observe(0.0041);
  histogram.Observe(11, "cccc");
  EXPECT_THAT(WithExemplar(metrics),
              ElementsAre("h_bucket{rpc=\"x\",le=\"0.005\"} 4 # {trace_id=\"bbbb\"} 0.004",
                          "h_bucket{rpc=\"x\",le=\"+Inf\"} 5 # {trace_id=\"cccc\"} 11"));
  EXPECT_THAT(metrics.Text(), Not(HasSubstr("aaaa")));
}

TEST(Metrics, HistogramsReachFromAHundredMicrosecondsToTenSeconds) {
  Metrics metrics;
  Histogram& histogram = metrics.histogram("h", "H.", {{"rpc", "x"}});
  histogram.Observe(0.00005);
  histogram.Observe(0.003);
  histogram.Observe(11);
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("h_count{rpc=\"x\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("h_bucket{rpc=\"x\",le=\"0.0001\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("h_bucket{rpc=\"x\",le=\"0.005\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("h_bucket{rpc=\"x\",le=\"10\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("h_bucket{rpc=\"x\",le=\"+Inf\"} 3\n"));
}

TEST(Metrics, MayBeUsedFromSeveralThreads) {
  Metrics metrics;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&metrics] {
      for (int i = 0; i < 100; ++i) {
        metrics.counter("c", "C.", {{"i", std::to_string(i % 3)}}).Add();
        metrics.histogram("h", "H.").Observe(0.001);
        if (i % 50 == 0) metrics.Text();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  double sum = 0;
  for (const char* i : {"0", "1", "2"}) sum += metrics.counter("c", "C.", {{"i", i}}).value();
  EXPECT_EQ(sum, 400);
}

}  // namespace
}  // namespace ipp
