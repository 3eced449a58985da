# cmake -DFOLDER=simulator/terminal -DOUT=terminal_files.cc -P embed.cmake
# The page's files as string literals. None may hold the delimiter, )terminal".
cmake_minimum_required(VERSION 3.25)
set(files terminal.html terminal.css terminal.js terminal_words.js terminal_webhooks.js terminal.svg)
set(names kTerminalHtml kTerminalCss kTerminalJs kTerminalWordsJs kTerminalWebhooksJs kTerminalSvg)
set(source "// Made by simulator/embed.cmake.\n#include \"simulator/terminal.h\"\n\nnamespace ipp::simulator {\n\n")
foreach(file name IN ZIP_LISTS files names)
  file(READ ${FOLDER}/${file} text)
  string(APPEND source "const std::string_view ${name} = R\"terminal(${text})terminal\";\n\n")
endforeach()
file(WRITE ${OUT} "${source}}  // namespace ipp::simulator\n")
