#pragma once

#include <atomic>
#include <cstdint>

namespace ipp::events {

// Counts the bytes of the events in memory, wherever they are: in the hub's tail, in a page of a
// subscriber, or on their way to callers. Thread-safe.
class EventMemory {
 public:
  void Add(int64_t bytes) { bytes_.fetch_add(bytes, std::memory_order_relaxed); }
  int64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> bytes_{0};
};

}  // namespace ipp::events
