#pragma once

#include <string_view>

namespace ipp::simulator {

// The files of the virtual terminal, simulator/terminal/, as the build put them into the binary.
extern const std::string_view kTerminalHtml;
extern const std::string_view kTerminalCss;
extern const std::string_view kTerminalJs;
extern const std::string_view kTerminalWordsJs;
extern const std::string_view kTerminalWebhooksJs;
extern const std::string_view kTerminalSvg;

}  // namespace ipp::simulator
