# cmake -DFOLDER=simulator/terminal -DOUT=terminal_files.cc -P embed.cmake
# The page's files as string literals. None may hold the delimiter, )terminal".
set(source "// Made by simulator/embed.cmake.\n#include \"simulator/terminal.h\"\n\nnamespace ipp::simulator {\n\n")
foreach(name Html Css Js Svg)
  string(TOLOWER ${name} extension)
  file(READ ${FOLDER}/terminal.${extension} text)
  string(APPEND source "const std::string_view kTerminal${name} = R\"terminal(${text})terminal\";\n\n")
endforeach()
file(WRITE ${OUT} "${source}}  // namespace ipp::simulator\n")
