#pragma once

#include <string>

namespace ipp {

// A random UUID (version 4), in lower case. Thread-safe.
std::string NewUuid();

}  // namespace ipp
