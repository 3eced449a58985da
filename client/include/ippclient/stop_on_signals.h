#pragma once

#include <functional>
#include <thread>

namespace ipp::client {

// While it exists, SIGTERM and SIGINT call `stop` on a thread of its own, each time they come,
// instead of ending the process. For the program that has no signal handling of its own: what was
// there before is put back at the end. One at a time in a process.
class StopOnSignals {
 public:
  explicit StopOnSignals(std::function<void()> stop);
  ~StopOnSignals();
  StopOnSignals(const StopOnSignals&) = delete;
  StopOnSignals& operator=(const StopOnSignals&) = delete;

 private:
  std::thread thread_;
};

}  // namespace ipp::client
