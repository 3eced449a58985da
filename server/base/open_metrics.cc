#include "server/base/open_metrics.h"

#include <array>
#include <charconv>
#include <cmath>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace ipp {
namespace {

// The shortest text that reads back as the same number.
std::string Number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  std::array<char, 32> text;
  const auto [end, error] =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::general);
  return {text.data(), error == std::errc() ? end : text.data()};
}

// The format has one spelling for each bound: 1.0, not 1.
std::string Bound(double value) {
  std::string text = Number(value);
  if (std::isfinite(value) && text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string Escaped(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}, {"\n", "\\n"}});
}

class Writer {
 public:
  Writer(const prometheus::MetricFamily& family, ExemplarsOf exemplars, std::string* out)
      : family_(family), exemplars_(exemplars), out_(*out) {}

  // `names`: of all families.
  void Write(const std::set<absl::string_view>& names) {
    using prometheus::MetricType;
    const bool counter = family_.type == MetricType::Counter;
    const bool histogram = family_.type == MetricType::Histogram;
    absl::string_view name = family_.name;
    absl::string_view type = counter ? "counter" : histogram ? "histogram" : "gauge";
    // A counter's family has the name without "_total"; that must not be the name of another one.
    if (counter && (!absl::ConsumeSuffix(&name, "_total") || names.contains(name))) {
      name = family_.name;
      type = "unknown";
    }
    absl::StrAppend(&out_, "# TYPE ", name, " ", type, "\n");
    absl::StrAppend(&out_, "# HELP ", name, " ", Escaped(family_.help), "\n");
    for (const prometheus::ClientMetric& metric : family_.metric) {
      if (histogram) {
        WriteHistogram(metric);
      } else {
        Sample("", metric, counter ? metric.counter.value : metric.gauge.value);
      }
    }
  }

 private:
  void WriteHistogram(const prometheus::ClientMetric& metric) {
    Labels labels;
    for (const auto& label : metric.label) labels.emplace(label.name, label.value);
    const std::vector<Exemplar> exemplars = exemplars_(family_.name, labels);
    for (size_t i = 0; i < metric.histogram.bucket.size(); ++i) {
      const auto& bucket = metric.histogram.bucket[i];
      Series("_bucket", metric, Bound(bucket.upper_bound));
      absl::StrAppend(&out_, bucket.cumulative_count);
      if (i < exemplars.size() && !exemplars[i].trace_id.empty()) {
        const Exemplar& exemplar = exemplars[i];
        absl::StrAppend(
            &out_, " # {trace_id=\"", Escaped(exemplar.trace_id), "\"} ", Number(exemplar.value),
            " ", absl::StrFormat("%.3f", absl::ToDoubleSeconds(exemplar.at - absl::UnixEpoch())));
      }
      out_ += '\n';
    }
    Sample("_count", metric, static_cast<double>(metric.histogram.sample_count));
    Sample("_sum", metric, metric.histogram.sample_sum);
  }

  void Sample(absl::string_view suffix, const prometheus::ClientMetric& metric, double value) {
    Series(suffix, metric, "");
    absl::StrAppend(&out_, Number(value), "\n");
  }

  // The name with its labels, and the space before the value. `le`: of a bucket; empty: no bucket.
  void Series(absl::string_view suffix, const prometheus::ClientMetric& metric,
              absl::string_view le) {
    absl::StrAppend(&out_, family_.name, suffix);
    char before = '{';
    const auto label = [&](absl::string_view name, absl::string_view value) {
      out_ += before;
      before = ',';
      absl::StrAppend(&out_, name, "=\"", Escaped(value), "\"");
    };
    for (const auto& one : metric.label) label(one.name, one.value);
    if (!le.empty()) label("le", le);
    if (before == ',') out_ += '}';
    out_ += ' ';
  }

  const prometheus::MetricFamily& family_;
  const ExemplarsOf exemplars_;
  std::string& out_;
};

}  // namespace

std::string WriteOpenMetrics(const std::vector<prometheus::MetricFamily>& families,
                             ExemplarsOf exemplars) {
  std::set<absl::string_view> names;
  for (const prometheus::MetricFamily& family : families) names.insert(family.name);
  std::string text;
  for (const prometheus::MetricFamily& family : families) {
    Writer(family, exemplars, &text).Write(names);
  }
  return text + "# EOF\n";
}

}  // namespace ipp
