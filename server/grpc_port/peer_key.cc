#include "server/grpc_port/peer_key.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace ipp::grpc_port {
namespace {

constexpr size_t kNetworkBytes = 8;  // of IPv6
// ::ffff:0:0/96, RFC 4291 section 2.5.5.2.
constexpr std::array<unsigned char, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool IsMapped(const PeerKey& key) {
  return std::equal(kMapped.begin(), kMapped.end(), key.begin());
}

}  // namespace

PeerKey KeyOf(const sockaddr_storage& address) {
  PeerKey key{};
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    std::copy(kMapped.begin(), kMapped.end(), key.begin());
    std::memcpy(key.data() + kMapped.size(), &v4.sin_addr, sizeof(v4.sin_addr));
  } else if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    std::memcpy(key.data(), &v6.sin6_addr, key.size());
    if (!IsMapped(key)) std::fill(key.begin() + kNetworkBytes, key.end(), 0);
  }
  return key;
}

std::string Shown(const PeerKey& peer) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (IsMapped(peer)) {
    inet_ntop(AF_INET, peer.data() + kMapped.size(), text.data(), text.size());
    return text.data();
  }
  inet_ntop(AF_INET6, peer.data(), text.data(), text.size());
  return std::string(text.data()) + "/64";
}

}  // namespace ipp::grpc_port
