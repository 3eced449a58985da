#pragma once

#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "server/base/mutex.h"
#include "tests/faults/changes.h"
#include "tests/faults/history.h"

namespace ipp::faults {

// Where a subscriber keeps what it sees. Thread-safe.
class Notebook {
 public:
  Notebook(std::string name, kustom::ipp::v1::SessionEventFilter filter, Changes* changes);

  void Append(const kustom::ipp::v1::SessionEvent& event);
  void Complain(absl::string_view what);

  size_t size() const;
  // The `index`-th event seen.
  SeenEventPtr at(size_t index) const;
  Observation observation() const;
  const std::string& name() const { return name_; }
  const kustom::ipp::v1::SessionEventFilter& filter() const { return filter_; }

 private:
  const std::string name_;
  const kustom::ipp::v1::SessionEventFilter filter_;
  Changes* const changes_;
  mutable Mutex mutex_;
  std::vector<SeenEventPtr> events_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> complaints_ ABSL_GUARDED_BY(mutex_);
};

// A subscriber that follows the log from its oldest event until it is destroyed, whatever happens
// to the gateways.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual Observation observation() const = 0;
};

}  // namespace ipp::faults
