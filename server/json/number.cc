#include "server/json/number.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <system_error>

#include "absl/strings/charconv.h"

namespace ipp::json {
namespace {

// More digits than any 64-bit integer has.
constexpr int64_t kTooManyDigits = 24;

template <typename Int>
NumberError ParseDigits(absl::string_view text, Int* value) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, *value);
  if (stop != end) return NumberError::kNotWhole;
  if (error == std::errc::result_out_of_range) return NumberError::kOutOfRange;
  return error == std::errc() ? NumberError::kNone : NumberError::kNotWhole;
}

// The exponent's value. If it does not fit in 64 bits, a value that is out of range as well.
int64_t Exponent(absl::string_view text) {
  if (!text.empty() && text[0] == '+') text.remove_prefix(1);
  int64_t exponent = 0;
  if (ParseDigits(text, &exponent) == NumberError::kNone) {
    return std::min<int64_t>(std::max<int64_t>(exponent, -(int64_t{1} << 40)), int64_t{1} << 40);
  }
  return text[0] == '-' ? -(int64_t{1} << 40) : int64_t{1} << 40;
}

// Appends the number without fraction and exponent, if its value is whole.
NumberError Expand(absl::string_view number, std::string* plain) {
  const bool negative = number[0] == '-';
  if (negative) number.remove_prefix(1);
  int64_t exponent = 0;
  const size_t e = number.find_first_of("eE");
  if (e != absl::string_view::npos) {
    exponent = Exponent(number.substr(e + 1));
    number = number.substr(0, e);
  }
  std::string digits;
  for (const char c : number) {
    if (c != '.') digits += c;
  }
  const size_t dot = number.find('.');
  if (dot != absl::string_view::npos) exponent -= static_cast<int64_t>(number.size() - dot - 1);
  digits.erase(0, digits.find_first_not_of('0'));  // erases all if there are only zeros
  while (!digits.empty() && digits.back() == '0') {
    digits.pop_back();
    ++exponent;
  }
  if (digits.empty()) {
    plain->assign(1, '0');
    return NumberError::kNone;
  }
  if (exponent < 0) return NumberError::kNotWhole;
  if (static_cast<int64_t>(digits.size()) + exponent > kTooManyDigits) {
    return NumberError::kOutOfRange;
  }
  digits.append(static_cast<size_t>(exponent), '0');
  if (negative) plain->push_back('-');
  plain->append(digits);
  return NumberError::kNone;
}

}  // namespace

template <typename Int>
NumberError ParseWhole(absl::string_view text, bool quoted, Int* value) {
  const NumberError simple = ParseDigits(text, value);
  if (simple == NumberError::kNone) return simple;
  if (quoted) {
    int64_t unused = 0;
    const bool digits =
        simple == NumberError::kOutOfRange || ParseDigits(text, &unused) != NumberError::kNotWhole;
    return digits ? NumberError::kOutOfRange : NumberError::kNotWhole;
  }
  std::string plain;
  const NumberError error = Expand(text, &plain);
  if (error != NumberError::kNone) return error;
  // The number is whole here, so the only remaining errors are a minus sign on an unsigned type and
  // the size.
  return ParseDigits(plain, value) == NumberError::kNone ? NumberError::kNone
                                                         : NumberError::kOutOfRange;
}

template <typename Float>
bool ParseReal(absl::string_view text, Float* value) {
  const auto [stop, error] = absl::from_chars(text.data(), text.data() + text.size(), *value);
  // "Out of range" can also mean too small; the nearest value is correct then.
  return error != std::errc::invalid_argument && stop == text.data() + text.size() &&
         std::abs(*value) < std::numeric_limits<Float>::infinity() &&
         (error == std::errc() || std::abs(*value) < 1);
}

template NumberError ParseWhole(absl::string_view, bool, int32_t*);
template NumberError ParseWhole(absl::string_view, bool, int64_t*);
template NumberError ParseWhole(absl::string_view, bool, uint32_t*);
template NumberError ParseWhole(absl::string_view, bool, uint64_t*);
template bool ParseReal(absl::string_view, float*);
template bool ParseReal(absl::string_view, double*);

}  // namespace ipp::json
