#include "server/store/shared_leases.h"

namespace ipp::store {

std::string PackLeases(const std::vector<uint64_t>& leases) {
  std::string bytes;
  for (const uint64_t lease : leases) {
    for (int shift = 56; shift >= 0; shift -= 8) {
      bytes.push_back(static_cast<char>(lease >> shift & 0xff));
    }
  }
  return bytes;
}

std::vector<uint64_t> UnpackLeases(absl::string_view bytes) {
  std::vector<uint64_t> leases;
  for (size_t i = 0; i + 8 <= bytes.size(); i += 8) {
    uint64_t lease = 0;
    for (size_t k = 0; k < 8; ++k) lease = lease << 8 | static_cast<unsigned char>(bytes[i + k]);
    leases.push_back(lease);
  }
  return leases;
}

}  // namespace ipp::store
