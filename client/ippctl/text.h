#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

// Text for a terminal.
namespace ipp::ippctl {

// One line, safe to print: control characters and bytes that are not UTF-8 become U+FFFD. Names
// come from phones and shops, and a terminal executes escape sequences.
std::string Printable(absl::string_view text);

// Columns that printable UTF-8 takes: combining marks none, East Asian wide characters and emoji
// two.
size_t DisplayWidth(absl::string_view text);

// `text`, which is printable, in at most `width` columns: cut, and ended with "…", where it is
// longer.
std::string Shortened(absl::string_view text, size_t width);

// `minor` units with as many decimals as ISO 4217 gives the currency: "250.00 SEK", "-3 JPY".
std::string FormatMoney(int64_t minor, absl::string_view currency);

// How long ago, in the largest unit that fits: "45s", "12m", "3h", "2d". Clocks differ: less than
// nothing is "0s".
std::string FormatAge(absl::Duration age);

// Columns that help may take.
constexpr size_t kHelpWidth = 80;

// `text` in lines of at most `width` columns, broken at spaces; each but the first begins with
// `indent` spaces. Paragraphs are separated by an empty line; within one, newlines count as spaces,
// except before a line that begins with a space, which is kept as it is. No newline at the end.
std::string Wrapped(absl::string_view text, size_t width, size_t indent = 0);

}  // namespace ipp::ippctl
