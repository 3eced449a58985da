#include "server/base/descriptors.h"

#include <sys/resource.h>

#include <algorithm>
#include <limits>

namespace ipp {

int DescriptorLimit() {
  constexpr int kMost = std::numeric_limits<int>::max();
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return kMost;
  return static_cast<int>(std::min<rlim_t>(limit.rlim_cur, kMost));
}

bool IsHeldBack(int fd) {
  const int limit = DescriptorLimit();
  // Of a very low limit at most a quarter, so that peers are served at all.
  return fd >= limit - std::min(kHeldBackDescriptors, limit / 4);
}

}  // namespace ipp
