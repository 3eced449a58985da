#include "server/base/json_text.h"

#include <cstddef>
#include <cstdint>

#include "absl/strings/str_cat.h"

namespace ipp {
namespace {

constexpr absl::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

bool Between(unsigned char c, unsigned char least, unsigned char most) {
  return c >= least && c <= most;
}

// The length of the character at the beginning of `text`, which is not empty; 0 if it is not valid.
// The ranges of the second byte exclude overlong forms, surrogates, and what is above U+10FFFF.
size_t CharacterLength(absl::string_view text) {
  const auto byte = [&text](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : static_cast<unsigned char>(0);
  };
  const auto tail = [&byte](size_t i) { return Between(byte(i), 0x80, 0xbf); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  if (Between(first, 0xc2, 0xdf)) return tail(1) ? 2 : 0;
  if (Between(first, 0xe0, 0xef)) {
    const bool second = Between(byte(1), first == 0xe0 ? 0xa0 : 0x80, first == 0xed ? 0x9f : 0xbf);
    return second && tail(2) ? 3 : 0;
  }
  if (Between(first, 0xf0, 0xf4)) {
    const bool second = Between(byte(1), first == 0xf0 ? 0x90 : 0x80, first == 0xf4 ? 0x8f : 0xbf);
    return second && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

void AppendAscii(char c, std::string* out) {
  switch (c) {
    case '"':
      out->append("\\\"");
      return;
    case '\\':
      out->append("\\\\");
      return;
    case '\n':
      out->append("\\n");
      return;
    case '\r':
      out->append("\\r");
      return;
    case '\t':
      out->append("\\t");
      return;
    default:
      break;
  }
  if (c >= 0x20 && c != 0x7f) return out->push_back(c);
  absl::StrAppend(out, "\\u", absl::Hex(c, absl::kZeroPad4));
}

}  // namespace

void AppendJsonString(absl::string_view text, std::string* out) {
  out->push_back('"');
  while (!text.empty()) {
    const size_t length = CharacterLength(text);
    if (length == 1) {
      AppendAscii(text[0], out);
    } else if (length == 0) {
      out->append(kReplacement.data(), kReplacement.size());
    } else {
      out->append(text.data(), length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out->push_back('"');
}

}  // namespace ipp
