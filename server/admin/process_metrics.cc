#include "server/admin/process_metrics.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>

#include "server/base/descriptors.h"

namespace ipp::admin {
namespace {

struct MemoryPages {
  unsigned long all = 0;
  unsigned long resident = 0;
};

std::optional<MemoryPages> ReadMemory() {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen("/proc/self/statm", "re"),
                                                   &std::fclose);
  MemoryPages pages;
  if (file == nullptr) return std::nullopt;
  if (std::fscanf(file.get(), "%lu %lu", &pages.all, &pages.resident) != 2) return std::nullopt;
  return pages;
}

std::optional<int> CountDescriptors() {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc/self/fd"), &closedir);
  if (folder == nullptr) return std::nullopt;
  int count = 0;
  while (const dirent* entry = readdir(folder.get())) count += entry->d_name[0] != '.' ? 1 : 0;
  return count - 1;  // without that of the folder
}

double CpuSeconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return absl::ToDoubleSeconds(absl::DurationFromTimeval(used.ru_utime) +
                               absl::DurationFromTimeval(used.ru_stime));
}

}  // namespace

ProcessMetrics::ProcessMetrics(Metrics* metrics, absl::Time started)
    : resident_(metrics->gauge("process_resident_memory_bytes", "Resident memory in bytes.")),
      virtual_(metrics->gauge("process_virtual_memory_bytes", "Virtual memory in bytes.")),
      open_fds_(metrics->gauge("process_open_fds", "Open file descriptors.")),
      max_fds_(metrics->gauge("process_max_fds", "The limit of open file descriptors.")),
      cpu_(
          metrics->counter("process_cpu_seconds_total", "CPU time, user and system, in seconds.")) {
  metrics->gauge("process_start_time_seconds", "When the gateway started, in seconds since 1970.")
      .Set(absl::ToDoubleSeconds(started - absl::UnixEpoch()));
  Update();
}

void ProcessMetrics::Update() {
  if (const auto pages = ReadMemory()) {
    const auto page_bytes = static_cast<double>(sysconf(_SC_PAGESIZE));
    virtual_.Set(static_cast<double>(pages->all) * page_bytes);
    resident_.Set(static_cast<double>(pages->resident) * page_bytes);
  }
  if (const auto open = CountDescriptors()) open_fds_.Set(*open);
  max_fds_.Set(DescriptorLimit());
  cpu_.Add(std::max(0.0, CpuSeconds() - cpu_.value()));
}

}  // namespace ipp::admin
