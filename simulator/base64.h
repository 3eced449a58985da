#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ipp::simulator {

std::string Base64Encode(std::string_view bytes);

// Standard alphabet with padding; nullopt for anything else.
std::optional<std::string> Base64Decode(std::string_view text);

}  // namespace ipp::simulator
