#include "server/admin/process_metrics.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <vector>

#include "server/base/descriptors.h"

namespace ipp::admin {
namespace {

TEST(ProcessMetrics, HaveWhatTheProcessTakes) {
  Metrics metrics;
  ProcessMetrics process(&metrics, absl::FromUnixSeconds(1'700'000'000));
  const auto gauge = [&metrics](const char* name) { return metrics.gauge(name, "").value(); };
  const Counter& cpu = metrics.counter("process_cpu_seconds_total", "");
  EXPECT_EQ(gauge("process_start_time_seconds"), 1'700'000'000);
  EXPECT_EQ(gauge("process_max_fds"), DescriptorLimit());
  EXPECT_GT(gauge("process_resident_memory_bytes"), 1e6);
  EXPECT_GE(gauge("process_virtual_memory_bytes"), gauge("process_resident_memory_bytes"));

  const double open_before = gauge("process_open_fds");
  std::vector<int> fds;
  for (int i = 0; i < 7; ++i) fds.push_back(open("/dev/null", O_RDONLY | O_CLOEXEC));
  // Touches memory and takes CPU time.
  const double resident_before = gauge("process_resident_memory_bytes");
  const double cpu_before = cpu.value();
  constexpr size_t kBytes = 64 * 1024 * 1024;
  std::vector<char> memory(kBytes, 'x');
  while (cpu.value() < cpu_before + 0.01) process.Update();
  EXPECT_EQ(gauge("process_open_fds"), open_before + 7);
  EXPECT_GT(gauge("process_resident_memory_bytes"), resident_before + kBytes / 2);
  EXPECT_EQ(memory.back(), 'x');
  for (const int fd : fds) close(fd);
  process.Update();
  EXPECT_EQ(gauge("process_open_fds"), open_before);
}

}  // namespace
}  // namespace ipp::admin
