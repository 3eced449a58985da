#include "server/base/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace ipp {
namespace {

using ::testing::HasSubstr;
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
