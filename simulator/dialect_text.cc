#include "simulator/dialect_text.h"

#include <boost/beast/zlib/deflate_stream.hpp>
#include <boost/crc.hpp>
#include <cstdint>

namespace ipp::simulator {
namespace {

namespace zlib = boost::beast::zlib;

void AppendLittleEndian(uint32_t number, std::string* bytes) {
  for (int i = 0; i < 4; ++i) bytes->push_back(static_cast<char>(number >> (8 * i)));
}

uint32_t Adler32(std::string_view text) {
  uint32_t a = 1;
  uint32_t b = 0;
  for (const char c : text) {
    a = (a + static_cast<unsigned char>(c)) % 65521;
    b = (b + a) % 65521;
  }
  return b << 16 | a;
}

// Copies `text`, with what is inside strings put through `inside` and the rest through `outside`.
template <typename Inside, typename Outside>
std::string Rewrite(const std::string& text, Inside inside, Outside outside) {
  std::string result;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      in_string = !in_string;
      result.push_back(c);
    } else if (in_string && c == '\\') {
      result.append(text, i, 2);  // what follows is never a quote that ends the string
      ++i;
    } else {
      in_string ? inside(c, &result) : outside(c, &result);
    }
  }
  return result;
}

}  // namespace

std::string RawDeflate(std::string_view text) {
  zlib::deflate_stream stream;
  std::string bytes(stream.upper_bound(text.size()) + 64, '\0');
  zlib::z_params parameters;
  parameters.next_in = text.data();
  parameters.avail_in = text.size();
  parameters.next_out = bytes.data();
  parameters.avail_out = bytes.size();
  boost::beast::error_code end_of_stream;
  stream.write(parameters, zlib::Flush::finish, end_of_stream);
  bytes.resize(bytes.size() - parameters.avail_out);
  return bytes;
}

std::string Gzip(std::string_view text) {
  std::string bytes("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", 10);
  bytes.append(RawDeflate(text));
  boost::crc_32_type crc;
  crc.process_bytes(text.data(), text.size());
  AppendLittleEndian(crc.checksum(), &bytes);
  AppendLittleEndian(static_cast<uint32_t>(text.size()), &bytes);
  return bytes;
}

std::string Zlib(std::string_view text) {
  std::string bytes("\x78\x9c", 2);
  bytes.append(RawDeflate(text));
  const uint32_t sum = Adler32(text);
  for (int i = 3; i >= 0; --i) bytes.push_back(static_cast<char>(sum >> (8 * i)));
  return bytes;
}

std::string WithByteOrderMark(std::string text) { return text.insert(0, "\xEF\xBB\xBF"); }

std::string Indented(std::string text) {
  const auto same = [](char c, std::string* result) { result->push_back(c); };
  return "\r\n\r\n" +
         Rewrite(text, same,
                 [](char c, std::string* result) {
                   if (c == '}' || c == ']') result->append("\r\n\t ");
                   result->push_back(c);
                   if (c == '{' || c == '[' || c == ',' || c == ':') result->append("\r\n\t ");
                 }) +
         "\r\n";
}

std::string Escaped(std::string text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  return Rewrite(
      text,
      [](char c, std::string* result) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x80) return result->push_back(c);
        result->append("\\u00").push_back(kHex[byte >> 4]);
        result->push_back(kHex[byte & 15]);
      },
      [](char c, std::string* result) { result->push_back(c); });
}

}  // namespace ipp::simulator
