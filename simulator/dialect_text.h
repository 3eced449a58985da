#pragma once

#include <string>
#include <string_view>

// The dialects that change the bytes of a body.
namespace ipp::simulator {

// RFC 1952; RFC 1950; and the bare stream of RFC 1951, which some servers send as "deflate".
std::string Gzip(std::string_view text);
std::string Zlib(std::string_view text);
std::string RawDeflate(std::string_view text);

// JSON text with the same meaning.
std::string WithByteOrderMark(std::string text);
std::string Indented(std::string text);  // with blank lines around it
std::string Escaped(std::string text);   // every character of every string and name as \u00..

}  // namespace ipp::simulator
