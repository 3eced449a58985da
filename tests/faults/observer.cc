#include "tests/faults/observer.h"

#include <utility>

namespace ipp::faults {

Notebook::Notebook(std::string name, kustom::ipp::v1::SessionEventFilter filter, Changes* changes)
    : name_(std::move(name)), filter_(std::move(filter)), changes_(changes) {}

void Notebook::Append(const kustom::ipp::v1::SessionEvent& event) {
  auto seen = std::make_shared<const SeenEvent>(event);
  {
    MutexLock lock(&mutex_);
    events_.push_back(std::move(seen));
  }
  changes_->Tell();
}

void Notebook::Complain(absl::string_view what) {
  MutexLock lock(&mutex_);
  complaints_.emplace_back(what);
}

size_t Notebook::size() const {
  MutexLock lock(&mutex_);
  return events_.size();
}

SeenEventPtr Notebook::at(size_t index) const {
  MutexLock lock(&mutex_);
  return events_.at(index);
}

Observation Notebook::observation() const {
  MutexLock lock(&mutex_);
  return {.name = name_, .filter = filter_, .events = events_, .complaints = complaints_};
}

}  // namespace ipp::faults
