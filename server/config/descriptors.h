#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/config/config.pb.h"

namespace ipp::config {

// What a part of the configuration may need of file descriptors.
struct DescriptorUse {
  std::string key;  // the key that bounds it; empty: files, threads and the store
  int64_t most = 0;
};

// Everything that may be open at once, the largest first. Together with
// base/descriptors.h: kHeldBackDescriptors, RLIMIT_NOFILE should be no lower.
std::vector<DescriptorUse> DescriptorUses(const Config& config);

}  // namespace ipp::config
