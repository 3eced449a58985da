#pragma once

#include <sys/socket.h>

#include <array>
#include <string>

namespace ipp::grpc_port {

// The part of an address that is one peer's: an IPv4 address, also one that is mapped into IPv6, or
// the first 64 bits of an IPv6 address. All zero for any other family.
using PeerKey = std::array<unsigned char, 16>;

PeerKey KeyOf(const sockaddr_storage& address);

// For a log line: "10.0.0.1", "2001:db8:1:2::/64".
std::string Shown(const PeerKey& peer);

}  // namespace ipp::grpc_port
