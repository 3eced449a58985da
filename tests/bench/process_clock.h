#pragma once

#include <time.h>
#include <unistd.h>

namespace ipp::bench {

// CPU time of another process in µs, all its threads, those that have ended too. Exact, where
// /proc/<pid>/stat counts in steps of 10 ms. -1 when there is no such process.
inline double ProcessCpuUs(pid_t pid) {
  clockid_t clock;
  timespec time;
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) return -1;
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

}  // namespace ipp::bench
