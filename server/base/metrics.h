#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

// Metrics in Prometheus' text format. Everything is thread-safe; a Counter, Gauge or Histogram
// lives as long as the Metrics that made it. Finding a series by its labels takes a lock: if the
// labels are known at start-up, find it once. Never use an unbounded value (ids, messages) as a
// label.
namespace ipp {

class Counter {
 public:
  virtual ~Counter() = default;
  virtual void Add(double amount = 1) = 0;
  virtual double value() const = 0;
};

class Gauge {
 public:
  virtual ~Gauge() = default;
  virtual void Set(double value) = 0;
  virtual void Add(double amount) = 0;
  virtual double value() const = 0;
};

class Histogram {
 public:
  virtual ~Histogram() = default;
  // `trace_id`: of the trace that this observation belongs to, if it is recorded; else empty. The
  // last one of each bucket is its exemplar.
  virtual void Observe(double value, absl::string_view trace_id) = 0;
  void Observe(double value) { Observe(value, {}); }
};

using Labels = std::map<std::string, std::string>;

class Metrics {
 public:
  Metrics();
  ~Metrics();

  // The series of a family; always the same object for the same labels. The `help` of a family's
  // first call is used.
  Counter& counter(absl::string_view name, absl::string_view help, const Labels& labels = {});
  Gauge& gauge(absl::string_view name, absl::string_view help, const Labels& labels = {});
  // Observations are in seconds, in buckets from 100 µs to 10 s.
  Histogram& histogram(absl::string_view name, absl::string_view help, const Labels& labels = {});

  // The page for Prometheus (text format 0.0.4).
  std::string Text() const;
  // The same in the OpenMetrics text format 1.0.0, with exemplars.
  std::string OpenMetrics() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ipp
