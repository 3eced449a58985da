#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"

// Pure functions on encoded text.
namespace ipp {

// Decodes base64 (RFC 4648 section 4) that is padded and canonical. absl also accepts white space,
// missing padding, dots instead of padding, and unused bits; encoding the result again detects
// these.
inline std::optional<std::string> DecodeBase64(absl::string_view text) {
  std::string bytes;
  if (!absl::Base64Unescape(text, &bytes) || absl::Base64Escape(bytes) != text) {
    return std::nullopt;
  }
  return bytes;
}

// The same for base64url (section 5) without padding.
inline std::optional<std::string> DecodeBase64Url(absl::string_view text) {
  std::string bytes;
  if (!absl::WebSafeBase64Unescape(text, &bytes) || absl::WebSafeBase64Escape(bytes) != text) {
    return std::nullopt;
  }
  return bytes;
}

// Decodes hexadecimal text of an even length that is known to be such. Not absl's function: which
// one there is depends on Abseil's version.
inline std::string BytesOfHex(absl::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
  std::string bytes;
  bytes.reserve(hex.size() / 2);
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(digit(hex[i]) << 4 | digit(hex[i + 1])));
  }
  return bytes;
}

// The first `size` bytes of UTF-8 text, or a little less: a character is not cut in half.
inline absl::string_view CutUtf8(absl::string_view text, size_t size) {
  if (text.size() <= size) return text;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
  return text.substr(0, size);
}

}  // namespace ipp
