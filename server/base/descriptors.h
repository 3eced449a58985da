#pragma once

namespace ipp {

// The last descriptors below the limit (RLIMIT_NOFILE) that connections of peers must not take, so
// that the admin port, the store and the upstream still get some when peers have taken all others.
inline constexpr int kHeldBackDescriptors = 32;

// The limit of open descriptors now: the soft one.
int DescriptorLimit();

// Whether a descriptor that was just opened is one of those that are held back; then a connection
// of a peer must be closed. The kernel always gives out the lowest free number, so a number close
// to the limit means that all lower ones are taken. Source: POSIX.1-2017, 2.14. Thread-safe.
bool IsHeldBack(int fd);

}  // namespace ipp
