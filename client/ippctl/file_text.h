#pragma once

#include <optional>
#include <string>

namespace ipp::ippctl {

// The content of a file; nullopt when it cannot be read (errno has the reason). Not std::ifstream,
// whose buffer throws when the path is a folder.
std::optional<std::string> ReadFileText(const std::string& path);

}  // namespace ipp::ippctl
