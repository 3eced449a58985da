#include "client/ippctl/text.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace ipp::ippctl {
namespace {

constexpr char32_t kReplacement = 0xFFFD;
constexpr char kReplacementUtf8[] = "\xEF\xBF\xBD";

// Takes one code point off the front; kReplacement and one byte for what is not UTF-8.
char32_t TakeCodePoint(absl::string_view* text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>((*text)[i]); };
  const unsigned char lead = byte(0);
  const size_t length = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  char32_t point = length == 1 ? lead : lead & (0x7F >> length);
  bool valid = length > 0 && lead < 0xF5 && text->size() >= length;
  for (size_t i = 1; valid && i < length; ++i) {
    valid = (byte(i) & 0xC0) == 0x80;
    point = point << 6 | (byte(i) & 0x3F);
  }
  // Overlong forms, surrogates and what is beyond Unicode.
  valid = valid && !(length == 3 && point < 0x800) && !(length == 4 && point < 0x10000) &&
          !(point >= 0xD800 && point < 0xE000) && point < 0x110000;
  text->remove_prefix(valid ? length : 1);
  return valid ? point : kReplacement;
}

bool IsControl(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) ||
         // Bidirectional overrides can make a line read as something else.
         (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0x2028 || c == 0x2029;
}

struct Range {
  char32_t first;
  char32_t last;
};

template <size_t kSize>
bool In(const std::array<Range, kSize>& ranges, char32_t c) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [c](Range range) { return c >= range.first && c <= range.last; });
}

// The blocks of Unicode's East Asian Width property (UAX 11) that matter for names of people and
// shops.
constexpr std::array<Range, 9> kWide = {{{0x1100, 0x115F},
                                         {0x2E80, 0x303E},
                                         {0x3041, 0xA4CF},
                                         {0xAC00, 0xD7A3},
                                         {0xF900, 0xFAFF},
                                         {0xFE30, 0xFE6F},
                                         {0xFF00, 0xFF60},
                                         {0x1F300, 0x1FAFF},
                                         {0x20000, 0x3FFFD}}};
constexpr std::array<Range, 4> kNoWidth = {
    {{0x0300, 0x036F}, {0x200B, 0x200F}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}}};

// ISO 4217's currencies that do not have two decimals.
int Decimals(absl::string_view currency) {
  static constexpr std::array<absl::string_view, 15> kNone = {"BIF", "CLP", "DJF", "GNF", "ISK",
                                                              "JPY", "KMF", "KRW", "PYG", "RWF",
                                                              "UGX", "VND", "VUV", "XAF", "XOF"};
  static constexpr std::array<absl::string_view, 7> kThree = {"BHD", "IQD", "JOD", "KWD",
                                                              "LYD", "OMR", "TND"};
  if (std::find(kNone.begin(), kNone.end(), currency) != kNone.end()) return 0;
  if (std::find(kThree.begin(), kThree.end(), currency) != kThree.end()) return 3;
  return 2;
}

}  // namespace

std::string Printable(absl::string_view text) {
  std::string printable;
  while (!text.empty()) {
    const absl::string_view before = text;
    const char32_t point = TakeCodePoint(&text);
    if (point == kReplacement || IsControl(point)) {
      printable += kReplacementUtf8;
    } else {
      absl::StrAppend(&printable, before.substr(0, before.size() - text.size()));
    }
  }
  return printable;
}

size_t DisplayWidth(absl::string_view text) {
  size_t width = 0;
  while (!text.empty()) {
    const char32_t point = TakeCodePoint(&text);
    width += In(kNoWidth, point) ? 0 : In(kWide, point) ? 2 : 1;
  }
  return width;
}

std::string Shortened(absl::string_view text, size_t width) {
  if (DisplayWidth(text) <= width) return std::string(text);
  if (width == 0) return "";
  std::string cut;
  size_t used = 1;  // the "…"
  while (!text.empty()) {
    absl::string_view rest = text;
    TakeCodePoint(&rest);
    const absl::string_view one = text.substr(0, text.size() - rest.size());
    used += DisplayWidth(one);
    if (used > width) break;
    absl::StrAppend(&cut, one);
    text = rest;
  }
  return cut + "…";
}

std::string FormatMoney(int64_t minor, absl::string_view currency) {
  const int decimals = Decimals(currency);
  // As unsigned, since the smallest int64 has no positive counterpart.
  uint64_t amount = minor < 0 ? 0 - static_cast<uint64_t>(minor) : static_cast<uint64_t>(minor);
  std::string digits = absl::StrCat(amount);
  if (decimals > 0) {
    const auto wanted = static_cast<size_t>(decimals) + 1;
    if (digits.size() < wanted) digits.insert(0, wanted - digits.size(), '0');
    digits.insert(digits.size() - static_cast<size_t>(decimals), 1, '.');
  }
  return absl::StrCat(minor < 0 ? "-" : "", digits, currency.empty() ? "" : " ", currency);
}

std::string FormatAge(absl::Duration age) {
  const int64_t seconds = std::max<int64_t>(absl::ToInt64Seconds(age), 0);
  if (seconds < 60) return absl::StrCat(seconds, "s");
  if (seconds < 60 * 60) return absl::StrCat(seconds / 60, "m");
  if (seconds < 24 * 60 * 60) return absl::StrCat(seconds / (60 * 60), "h");
  return absl::StrCat(seconds / (24 * 60 * 60), "d");
}

std::string Wrapped(absl::string_view text, size_t width, size_t indent) {
  std::string wrapped;
  size_t used = 0;  // columns of the line at hand
  const auto next_line = [&] {
    absl::StrAppend(&wrapped, "\n", std::string(indent, ' '));
    used = indent;
  };
  bool fresh = true;  // nothing stands in the paragraph yet
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (line.empty()) {
      wrapped += "\n";
      next_line();
      fresh = true;
      continue;
    }
    if (line.front() == ' ') {
      if (!fresh) next_line();
      absl::StrAppend(&wrapped, line);
      fresh = false;
      used = width;  // what comes next begins a line
      continue;
    }
    for (const absl::string_view word : absl::StrSplit(line, ' ', absl::SkipEmpty())) {
      const size_t columns = DisplayWidth(word);
      if (!fresh && used + 1 + columns > width) {
        next_line();
      } else if (!fresh) {
        wrapped += ' ';
        ++used;
      }
      absl::StrAppend(&wrapped, word);
      used += columns;
      fresh = false;
    }
  }
  return wrapped;
}

}  // namespace ipp::ippctl
