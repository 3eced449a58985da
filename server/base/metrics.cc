#include "server/base/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/time/clock.h"
#include "server/base/mutex.h"
#include "server/base/open_metrics.h"

namespace ipp {
namespace {

// In seconds. Dense from 1 ms to 250 ms, where an RPC through the gateway and a commit to disk are
// expected.
const prometheus::Histogram::BucketBoundaries& Buckets() {
  static const prometheus::Histogram::BucketBoundaries buckets = {
      0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
      0.05,   0.1,     0.25,   0.5,   1,      2.5,   5,    10};
  return buckets;
}

class CounterSeries final : public Counter {
 public:
  using Kind = prometheus::Counter;
  CounterSeries(prometheus::Family<Kind>& family, const Labels& labels)
      : series_(family.Add(labels)) {}
  void Add(double amount) override { series_.Increment(amount); }
  double value() const override { return series_.Value(); }

 private:
  Kind& series_;
};

class GaugeSeries final : public Gauge {
 public:
  using Kind = prometheus::Gauge;
  GaugeSeries(prometheus::Family<Kind>& family, const Labels& labels)
      : series_(family.Add(labels)) {}
  void Set(double value) override { series_.Set(value); }
  void Add(double amount) override { series_.Increment(amount); }
  double value() const override { return series_.Value(); }

 private:
  Kind& series_;
};

class HistogramSeries final : public Histogram {
 public:
  using Kind = prometheus::Histogram;
  HistogramSeries(prometheus::Family<Kind>& family, const Labels& labels)
      : series_(family.Add(labels, Buckets())) {}
  void Observe(double value, absl::string_view trace_id) override {
    series_.Observe(value);
    if (trace_id.empty()) return;
    const auto bucket = std::lower_bound(Buckets().begin(), Buckets().end(), value);
    MutexLock lock(&mutex_);
    exemplars_.resize(Buckets().size() + 1);
    exemplars_[static_cast<size_t>(bucket - Buckets().begin())] = {std::string(trace_id), value,
                                                                   absl::Now()};
  }
  std::vector<Exemplar> exemplars() const {
    MutexLock lock(&mutex_);
    return exemplars_;
  }

 private:
  Kind& series_;
  mutable Mutex mutex_;
  std::vector<Exemplar> exemplars_ ABSL_GUARDED_BY(mutex_);  // empty until there is one
};

// All families of one kind. Families are found by name alone: for a second help text prometheus-cpp
// would make a second family of the same name, and the page would be invalid.
template <typename Series>
class Families {
 public:
  using Kind = typename Series::Kind;

  // A name that another kind already has, or that contains a character which Prometheus does not
  // allow, is a bug in our code: prometheus-cpp throws, and noexcept then ends the process.
  template <typename Build>
  Series& Get(absl::string_view name, const Labels& labels, Build build) noexcept {
    MutexLock lock(&mutex_);
    auto found = families_.find(std::string(name));
    if (found == families_.end()) {
      prometheus::Family<Kind>& made = build();
      found = families_.try_emplace(std::string(name), &made).first;
    }
    auto& [family, series] = found->second;
    auto& one = series[labels];
    if (one == nullptr) one = std::make_unique<Series>(*family, labels);
    return *one;
  }

  // nullptr: there is none.
  const Series* Find(const std::string& name, const Labels& labels) {
    MutexLock lock(&mutex_);
    const auto family = families_.find(name);
    if (family == families_.end()) return nullptr;
    const auto series = family->second.series.find(labels);
    return series == family->second.series.end() ? nullptr : series->second.get();
  }

 private:
  struct Family {
    explicit Family(prometheus::Family<Kind>* f) : family(f) {}
    prometheus::Family<Kind>* family;
    std::map<Labels, std::unique_ptr<Series>> series;
  };

  Mutex mutex_;
  std::map<std::string, Family> families_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

struct Metrics::Impl {
  prometheus::Registry registry;
  Families<CounterSeries> counters;
  Families<GaugeSeries> gauges;
  Families<HistogramSeries> histograms;
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

Counter& Metrics::counter(absl::string_view name, absl::string_view help, const Labels& labels) {
  return impl_->counters.Get(
      name, labels, [&]() -> auto& {
        return prometheus::BuildCounter()
            .Name(std::string(name))
            .Help(std::string(help))
            .Register(impl_->registry);
      });
}

Gauge& Metrics::gauge(absl::string_view name, absl::string_view help, const Labels& labels) {
  return impl_->gauges.Get(
      name, labels, [&]() -> auto& {
        return prometheus::BuildGauge()
            .Name(std::string(name))
            .Help(std::string(help))
            .Register(impl_->registry);
      });
}

Histogram& Metrics::histogram(absl::string_view name, absl::string_view help,
                              const Labels& labels) {
  return impl_->histograms.Get(
      name, labels, [&]() -> auto& {
        return prometheus::BuildHistogram()
            .Name(std::string(name))
            .Help(std::string(help))
            .Register(impl_->registry);
      });
}

std::string Metrics::Text() const {
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

std::string Metrics::OpenMetrics() const {
  return WriteOpenMetrics(
      impl_->registry.Collect(), [this](const std::string& family, const Labels& labels) {
        const HistogramSeries* series = impl_->histograms.Find(family, labels);
        return series == nullptr ? std::vector<Exemplar>() : series->exemplars();
      });
}

}  // namespace ipp
