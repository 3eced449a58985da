#pragma once

#include <optional>
#include <string>

namespace ipp::ippctl {

// The whole of a file; nothing when it cannot be read (errno says why). Not std::ifstream, whose
// buffer throws when the path is a folder.
std::optional<std::string> ReadFileText(const std::string& path);

}  // namespace ipp::ippctl
