#include "server/json/lenient_text.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "absl/strings/ascii.h"
#include "server/json/rapid.h"

namespace ipp::json {
namespace {

// The UTF-16 unit of an escape "\uXXXX" at the front, or -1.
int EscapedUnit(absl::string_view text) {
  int unit = 0;
  if (text.size() < 6 || text[0] != '\\' || text[1] != 'u') return -1;
  for (const char c : text.substr(2, 4)) {
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(c))) return -1;
    const int digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
    unit = unit * 16 + digit;
  }
  return unit;
}

bool IsNumberCharacter(char c) {
  return absl::ascii_isdigit(static_cast<unsigned char>(c)) ||
         absl::string_view("+-.eE").find(c) != absl::string_view::npos;
}

// RapidJSON rejects more than the numbers that are too large: it adds up digits and exponent before
// it knows the value (0e400).
bool MayBeRejected(absl::string_view number) {
  constexpr size_t kSafeDigits = 300;
  if (number.size() > kSafeDigits) return true;
  const size_t exponent = number.find_first_of("eE");
  return exponent != absl::string_view::npos && number.size() - exponent > 3;
}

}  // namespace

void SpoilHugeNumbers(char* text, size_t size) {
  char* const end = text + size;
  bool in_string = false;
  for (char* at = text; at < end; ++at) {
    if (*at == '"') in_string = !in_string;
    if (in_string) {
      if (*at == '\\') ++at;
      continue;
    }
    if (*at != '-' && !absl::ascii_isdigit(static_cast<unsigned char>(*at))) continue;
    char* const begin = at;
    while (at < end && IsNumberCharacter(*at)) ++at;
    const auto length = static_cast<size_t>(at - begin);
    if (MayBeRejected(absl::string_view(begin, length))) {
      std::memset(begin, '\xff', length);
      begin[0] = begin[length - 1] = '"';
    }
    --at;
  }
}

void TurnLoneHalves(char* text, size_t size) {
  char* const end = text + size;
  char* at = text;
  while ((at = static_cast<char*>(std::memchr(at, '\\', static_cast<size_t>(end - at)))) !=
         nullptr) {
    const absl::string_view rest(at, static_cast<size_t>(end - at));
    const int unit = EscapedUnit(rest);
    const bool first_half = unit >= 0xD800 && unit <= 0xDBFF;
    const int next = first_half ? EscapedUnit(rest.substr(6)) : -1;
    const bool pair = next >= 0xDC00 && next <= 0xDFFF;
    if (first_half && !pair) std::memcpy(at + 2, "dc00", 4);
    at += std::min<size_t>(pair ? 12 : 2, rest.size());
  }
}

bool IsUtf8(absl::string_view text) {
  const std::string copy(text);  // ends in a zero, which no UTF-8 tail matches
  size_t at = 0;
  while (at < copy.size()) {
    const auto* byte = reinterpret_cast<const unsigned char*>(copy.data() + at);
    const size_t size = *byte < 0x80 ? 1 : Utf8::Multibyte(byte);
    if (size == 0) return false;
    at += size;
  }
  return true;
}

}  // namespace ipp::json
