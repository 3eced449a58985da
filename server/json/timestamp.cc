#include "server/json/timestamp.h"

#include "absl/time/civil_time.h"

namespace ipp::json {
namespace {

constexpr int64_t kFirst = -62135596800;  // 0001-01-01T00:00:00Z
constexpr int64_t kLast = 253402300799;   // 9999-12-31T23:59:59Z
constexpr int32_t kNanosInSecond = 1'000'000'000;

// Takes pieces off the front. Once a piece does not match, every later call fails.
class Scanner {
 public:
  explicit Scanner(absl::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  int Digits(int count) {
    int value = 0;
    for (int i = 0; i < count; ++i) {
      if (at_ == end_ || *at_ < '0' || *at_ > '9') return Fail();
      value = value * 10 + (*at_++ - '0');
    }
    return value;
  }
  bool Peek(char c) const { return at_ != end_ && *at_ == c; }
  bool PeekDigit() const { return at_ != end_ && *at_ >= '0' && *at_ <= '9'; }
  bool Take(char c) {
    if (!Peek(c)) return false;
    ++at_;
    return true;
  }
  void Expect(bool taken) {
    if (!taken) Fail();
  }
  bool Done() const { return ok_ && at_ == end_; }

 private:
  int Fail() {
    ok_ = false;
    at_ = end_;
    return 0;
  }

  const char* at_;
  const char* end_;
  bool ok_ = true;
};

int32_t Fraction(Scanner* scanner) {
  int32_t nanos = 0;
  int32_t unit = kNanosInSecond;
  do {
    unit /= 10;
    nanos += scanner->Digits(1) * unit;
  } while (unit > 1 && scanner->PeekDigit());
  return nanos;
}

// The offset, in seconds east of Greenwich.
int64_t Offset(Scanner* scanner, TimeForm form) {
  if (scanner->Take('Z') || scanner->Take('z')) return 0;
  const int sign = scanner->Take('-') ? -1 : 1;
  if (sign == 1) scanner->Expect(scanner->Take('+'));
  const int hours = scanner->Digits(2);
  const bool colon = scanner->Take(':');
  if (form == TimeForm::kRfc3339) scanner->Expect(colon);
  const bool has_minutes = colon || form == TimeForm::kRfc3339 || scanner->PeekDigit();
  const int minutes = has_minutes ? scanner->Digits(2) : 0;
  scanner->Expect(hours < 24 && minutes < 60);
  return sign * (hours * 3600 + minutes * 60);
}

char* Put(int value, int digits, char* out) {
  for (int i = digits - 1; i >= 0; --i) {
    out[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
  return out + digits;
}

}  // namespace

bool ParseTimestamp(absl::string_view text, int64_t* seconds, int32_t* nanos, TimeForm form) {
  const bool iso = form == TimeForm::kIso8601;
  Scanner scanner(text);
  const int year = scanner.Digits(4);
  scanner.Expect(scanner.Take('-'));
  const int month = scanner.Digits(2);
  scanner.Expect(scanner.Take('-'));
  const int day = scanner.Digits(2);
  scanner.Expect(scanner.Take('T') || scanner.Take('t') || (iso && scanner.Take(' ')));
  const int hour = scanner.Digits(2);
  scanner.Expect(scanner.Take(':'));
  const int minute = scanner.Digits(2);
  int second = 0;
  *nanos = 0;
  const bool has_seconds = scanner.Take(':');
  if (!iso) scanner.Expect(has_seconds);
  if (has_seconds) {
    second = scanner.Digits(2);
    if (scanner.Take('.') || (iso && scanner.Take(','))) *nanos = Fraction(&scanner);
    while (iso && scanner.PeekDigit()) scanner.Digits(1);
  }
  const int64_t offset = Offset(&scanner, form);
  if (!scanner.Done() || hour > 23 || minute > 59 || second > 59) return false;
  const absl::CivilDay date(year, month, day);
  if (date.month() != month || date.day() != day) return false;  // no such day: it was normalised
  *seconds =
      (date - absl::CivilDay(1970, 1, 1)) * 86400 + hour * 3600 + minute * 60 + second - offset;
  return *seconds >= kFirst && *seconds <= kLast;
}

size_t FormatTimestamp(int64_t seconds, int32_t nanos, char* out) {
  if (seconds < kFirst || seconds > kLast || nanos < 0 || nanos >= kNanosInSecond) return 0;
  const absl::CivilSecond time = absl::CivilSecond(1970, 1, 1) + seconds;
  char* at = Put(static_cast<int>(time.year()), 4, out);
  *at++ = '-';
  at = Put(time.month(), 2, at);
  *at++ = '-';
  at = Put(time.day(), 2, at);
  *at++ = 'T';
  at = Put(time.hour(), 2, at);
  *at++ = ':';
  at = Put(time.minute(), 2, at);
  *at++ = ':';
  at = Put(time.second(), 2, at);
  if (nanos != 0) {
    *at++ = '.';
    if (nanos % 1'000'000 == 0) {
      at = Put(nanos / 1'000'000, 3, at);
    } else if (nanos % 1'000 == 0) {
      at = Put(nanos / 1'000, 6, at);
    } else {
      at = Put(nanos, 9, at);
    }
  }
  *at++ = 'Z';
  return static_cast<size_t>(at - out);
}

}  // namespace ipp::json
